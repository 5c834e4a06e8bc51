// RUN: rammer-opt %s -p 'set-device{device=host veus=1},fuse-operators,tile,convert-rop-to-rtask,convert-generic-to-loops' | filecheck %s --check-prefix=LOOPS
// RUN: rammer-opt %s -p 'set-device{device=h100},fuse-operators,tile,convert-rop-to-rtask,convert-generic-to-block' | filecheck %s --check-prefix=BLOCK
// RUN: rammer-opt %s -p 'set-device{device=host veus=1},persistent' -t host | filecheck %s --check-prefix=CPP
// RUN: rammer-opt %s -p 'set-device{device=h100},persistent' -t 'cuda{arch=sm_90a}' | filecheck %s --check-prefix=CUDA

// The row, which is computed, is clamped; the column is a loop that stays in range.
// LOOPS:       block.body @[[ROWS:generic_[0-9a-f]+]] threads 1 {
// LOOPS-NEXT:  ^bb{{[0-9]+}}(%{{.*}}: index, %{{.*}}: index, %[[N:[0-9]+]]: memref<?xi64, "global">, %[[T:[0-9]+]]: memref<?xf32, "global">
// LOOPS:         block.parallel thread (%[[COLUMN:[0-9]+]]) in
// LOOPS-NEXT:      %[[NUMBER:.*]] = memref.load %[[N]]
// LOOPS-NEXT:      %[[ROW:.*]] = arith.index_cast %[[NUMBER]] : i64 to index
// LOOPS-NEXT:      %[[LOW:.*]] = arith.maxsi %[[ROW]], %{{.*}} : index
// LOOPS-NEXT:      %[[INSIDE:.*]] = arith.minsi %[[LOW]], %{{.*}} : index
// LOOPS-NEXT:      %[[START:.*]] = arith.muli %[[INSIDE]], %{{.*}} : index
// LOOPS-NEXT:      %[[PLACE:.*]] = arith.addi %[[START]], %[[COLUMN]] : index
// LOOPS-NEXT:      memref.load %[[T]][%[[PLACE]]]

// BLOCK:       block.body @[[ROWS:generic_[0-9a-f]+]] threads 256 {
// BLOCK:         %[[ROW:.*]] = arith.index_cast %{{.*}} : i64 to index
// BLOCK:         %[[LOW:.*]] = arith.maxsi %[[ROW]], %{{.*}} : index
// BLOCK-NEXT:    %[[INSIDE:.*]] = arith.minsi %[[LOW]], %{{.*}} : index

// CPP:         const int [[ROW:.*]] = rammer_smaller<int>(rammer_larger<int>(int({{.*}}), 0), parameter_2);
// CPP-NEXT:    {{.*}} = rammer::load(operand_1 + (([[ROW]] * parameter_3) + {{.*}}));
// CUDA:        rammer_smaller<int>(rammer_larger<int>(int({{.*}}), 0), parameter_
func.func @main(%numbers: tensor<6xi64>, %table: tensor<10x24xf32>) -> tensor<6x24xf32> {
  %r = rop.generic bounds [6, 24] maps [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
      ins(%numbers : tensor<6xi64>) {
  ^bb0(%number: i64):
    %row = arith.index_cast %number : i64 to index
    %column = rop.index 1
    %e = rop.extract %table[%row, %column] : tensor<10x24xf32>
    rop.yield %e : f32
  } -> tensor<6x24xf32>
  func.return %r : tensor<6x24xf32>
}
