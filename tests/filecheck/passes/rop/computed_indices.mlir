// RUN: rammer-opt %s -p absorb-views,write-in-place,fuse-operators --split-input-file | filecheck %s
// RUN: rammer-opt %s -p 'set-device{device=host veus=2},absorb-views,write-in-place,fuse-operators,tile,convert-rop-to-rtask,annotate-costs' --split-input-file | filecheck %s --check-prefix=TASKS

// What is read at computed indices is made before; what makes the indices, and what follows, joins. The view of the table
// stays a tensor of its own, and so does its transposed copy that is returned.
// CHECK-LABEL: @gather
// CHECK-NEXT:    %[[T:.*]] = rop.operator ins(%table : tensor<4x10xf32>) {
// CHECK:         } -> tensor<10x4xf32>
// CHECK:         %[[R:.*]] = rop.operator ins(%numbers, %[[T]] : tensor<3x4xi64>, tensor<10x4xf32>) {
// CHECK-NEXT:    ^bb{{[0-9]+}}(%[[N:.*]]: tensor<3x4xi64>, %[[W:.*]]: tensor<10x4xf32>):
// CHECK:           rop.generic bounds [3, 4]
// CHECK:           rop.generic bounds [3, 4]
// CHECK:             rop.extract %[[W]][
// CHECK:           rop.generic bounds [3, 4]
// CHECK-NEXT:      ^bb
// CHECK-NEXT:        math.exp
// CHECK:         func.return %[[R]]

// Each task may read all of the table.
// TASKS:         rtask.kernel @operator1_candidate0 grid [1] reads [#rtask.box<(d0) -> (0, 0) by [3, 4]>, #rtask.box<(d0) -> (0, 0) by [10, 4]>] writes [#rtask.box<(d0) -> (0, 0) by [3, 4]>]
// TASKS:           rop.extract %{{[0-9]+}}[%{{.*}}, %{{.*}}] : tensor<10x4xf32>
func.func @gather(%numbers: tensor<3x4xi64>, %table: tensor<4x10xf32>) -> tensor<3x4xf32> {
  %t = rop.generic bounds [10, 4] maps [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>]
      ins(%table : tensor<4x10xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<10x4xf32>
  %next = rop.generic bounds [3, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] ins(%numbers : tensor<3x4xi64>) {
  ^bb0(%p: i64):
    %one = arith.constant 1 : i64
    %q = arith.addi %p, %one : i64
    rop.yield %q : i64
  } -> tensor<3x4xi64>
  %rows = rop.generic bounds [3, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
      ins(%next : tensor<3x4xi64>) {
  ^bb0(%number: i64):
    %row = arith.index_cast %number : i64 to index
    %column = rop.index 1
    %e = rop.extract %t[%row, %column] : tensor<10x4xf32>
    rop.yield %e : f32
  } -> tensor<3x4xf32>
  %r = rop.generic bounds [3, 4] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
      ins(%rows : tensor<3x4xf32>) {
  ^bb0(%p: f32):
    %q = math.exp %p : f32
    rop.yield %q : f32
  } -> tensor<3x4xf32>
  func.return %r : tensor<3x4xf32>
}

// -----

// What is read at computed indices is not written elsewhere than where it is read.
// CHECK-LABEL: @concatenation
// CHECK:         %[[A:.*]] = rop.operator ins(%x : tensor<4xf32>) {
// CHECK:           math.exp
// CHECK:         } -> tensor<4xf32>
// CHECK:         rop.operator ins(%[[A]], %{{.*}} : tensor<4xf32>, tensor<8xf32>) {
// CHECK:         rop.operator ins(%numbers, %[[A]] : tensor<3xi64>, tensor<4xf32>) {
func.func @concatenation(%x: tensor<4xf32>, %numbers: tensor<3xi64>) -> (tensor<8xf32>, tensor<3xf32>) {
  %a = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%x : tensor<4xf32>) {
  ^bb0(%p: f32):
    %q = math.exp %p : f32
    rop.yield %q : f32
  } -> tensor<4xf32>
  %e = tensor.empty() : tensor<8xf32>
  %half = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%a : tensor<4xf32>) into(%e : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  %both = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i + 4)>] ins(%x : tensor<4xf32>) into(%half : tensor<8xf32>) {
  ^bb0(%p: f32):
    rop.yield %p : f32
  } -> tensor<8xf32>
  %r = rop.generic bounds [3] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%numbers : tensor<3xi64>) {
  ^bb0(%number: i64):
    %i = arith.index_cast %number : i64 to index
    %v = rop.extract %a[%i] : tensor<4xf32>
    rop.yield %v : f32
  } -> tensor<3xf32>
  func.return %both, %r : tensor<8xf32>, tensor<3xf32>
}
