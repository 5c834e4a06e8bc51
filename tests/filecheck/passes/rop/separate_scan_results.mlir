// RUN: rammer-opt %s -p separate-scan-results --split-input-file | filecheck %s

// The second scan goes on reading the rows of the state; what is returned, the last state too, is written once more.
// CHECK-LABEL: @main
// CHECK:         %last, %all, %[[COPY:.*]] = rop.scan %n scanned(%x : tensor<3x4xf32>) carried(%h : tensor<4xf32>) {
// CHECK:           %next, %[[AGAIN:.*]] = rop.generic bounds [4] {{.*}} ins(%xt, %ht :
// CHECK:             rop.yield %[[V:.*]], %[[V]] : f32, f32
// CHECK:           rop.yield %next, %next, %[[AGAIN]] : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
// CHECK:         %[[LAST:.*]] = rop.generic bounds [4] maps [affine_map<(d0) -> (2, d0)>, affine_map<(d0) -> (d0)>] ins(%[[COPY]] : tensor<3x4xf32>) {
// CHECK:         rop.scan %n scanned(%all : tensor<3x4xf32>)
// CHECK:         func.return %[[LAST]], %[[COPY]], %{{.*}} : tensor<4xf32>, tensor<3x4xf32>, tensor<4xf32>
func.func @main(%x: tensor<3x4xf32>, %h: tensor<4xf32>) -> (tensor<4xf32>, tensor<3x4xf32>, tensor<4xf32>) {
  %n = arith.constant 3 : index
  %last, %all = rop.scan %n scanned(%x : tensor<3x4xf32>) carried(%h : tensor<4xf32>) {
  ^bb0(%t: index, %xt: tensor<4xf32>, %ht: tensor<4xf32>):
    %next = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%xt, %ht : tensor<4xf32>, tensor<4xf32>) {
    ^bb1(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<4xf32>
    rop.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  } -> tensor<4xf32>, tensor<3x4xf32>
  %end = rop.scan %n scanned(%all : tensor<3x4xf32>) carried(%h : tensor<4xf32>) {
  ^bb0(%t: index, %xt: tensor<4xf32>, %ht: tensor<4xf32>):
    %sum = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%xt, %ht : tensor<4xf32>, tensor<4xf32>) {
    ^bb1(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<4xf32>
    rop.yield %sum : tensor<4xf32>
  } -> tensor<4xf32>
  func.return %last, %all, %end : tensor<4xf32>, tensor<3x4xf32>, tensor<4xf32>
}

// -----

// In reverse the last state is in the first row. With a length that is not known it is read as before.
// CHECK-LABEL: @reverse
// CHECK:         rop.generic bounds [4] maps [affine_map<(d0) -> (0, d0)>, affine_map<(d0) -> (d0)>]
// CHECK-LABEL: @open
// CHECK:         %last, %all, %[[COPY:.*]] = rop.scan
// CHECK:         func.return %last, %[[COPY]] :
func.func @reverse(%x: tensor<3x4xf32>, %h: tensor<4xf32>) -> tensor<4xf32> {
  %n = arith.constant 3 : index
  %last, %all = rop.scan %n reverse scanned(%x : tensor<3x4xf32>) carried(%h : tensor<4xf32>) {
  ^bb0(%t: index, %xt: tensor<4xf32>, %ht: tensor<4xf32>):
    %next = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%xt, %ht : tensor<4xf32>, tensor<4xf32>) {
    ^bb1(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<4xf32>
    rop.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  } -> tensor<4xf32>, tensor<3x4xf32>
  func.return %last : tensor<4xf32>
}
func.func @open(%x: tensor<3x4xf32>, %h: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<3x4xf32>) {
  %last, %all = rop.scan %n scanned(%x : tensor<3x4xf32>) carried(%h : tensor<4xf32>) {
  ^bb0(%t: index, %xt: tensor<4xf32>, %ht: tensor<4xf32>):
    %next = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%xt, %ht : tensor<4xf32>, tensor<4xf32>) {
    ^bb1(%p: f32, %q: f32):
      %0 = arith.addf %p, %q : f32
      rop.yield %0 : f32
    } -> tensor<4xf32>
    rop.yield %next, %next : tensor<4xf32>, tensor<4xf32>
  } -> tensor<4xf32>, tensor<3x4xf32>
  func.return %last, %all : tensor<4xf32>, tensor<3x4xf32>
}
