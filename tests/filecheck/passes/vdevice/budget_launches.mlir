// RUN: rammer-opt %s -p budget-launches | filecheck %s

// CHECK: vdevice.launch veus 1 threads 32 service 0 ring 0 x 0 scratch 256 pinned 0 registers 64 {
// CHECK: vdevice.launch veus 1 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 64 {
vdevice.device @d kind "cuda" veus 1 threads 1024 shared 65536 registers 65536
block.body @staged threads 32 {
^bb0(%task: index, %t: index, %y: memref<?xf32, "global">):
  %array = memref.alloca() : memref<64xf32, "shared">
  %n = arith.constant 32 : index
  block.parallel thread (%i) in %n {
    %v = memref.load %array[%i] : memref<64xf32, "shared">
    memref.store %v, %y[%i] : memref<?xf32, "global">
  }
  block.yield
}
rtask.kernel @write grid [1] reads [] writes [#rtask.box<(i) -> (0) by [32]>] {
^bb0(%i: index, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
} implementation @staged []
rtask.kernel @other grid [1] reads [] writes [#rtask.box<(i) -> (0) by [32]>] {
^bb0(%i: index, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 0 names ["y", "z"] {
^bb0(%y: memref<32xf32>, %z: memref<32xf32>):
  vdevice.launch veus 1 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 64 {
    vdevice.run @write tasks [0, 1] place affine_map<(i) -> (i)> outs(%y : memref<32xf32>)
  }
  vdevice.launch veus 1 threads 32 service 0 ring 0 x 0 scratch 1024 pinned 0 registers 64 {
    vdevice.run @other tasks [0, 1] place affine_map<(i) -> (i)> outs(%z : memref<32xf32>)
  }
}
