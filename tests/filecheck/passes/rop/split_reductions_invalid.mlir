// RUN: rammer-opt %s -p split-reductions --verify-diagnostics | filecheck %s

// CHECK: an operator has no tilings: run the pass tile first
vdevice.device @h100 kind "cuda" veus 20 threads 1024 shared 232448 registers 65536
func.func @main(%x: tensor<8xf32>) -> tensor<8xf32> {
  %y = rop.operator ins(%x : tensor<8xf32>) {
  ^bb0(%a: tensor<8xf32>):
    %b = rop.generic bounds [8] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%a : tensor<8xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<8xf32>
    rop.yield %b : tensor<8xf32>
  } -> tensor<8xf32>
  func.return %y : tensor<8xf32>
}
