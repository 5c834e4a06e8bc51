// RUN: rammer-opt %s -p tile,split-reductions --split-input-file --verify-diagnostics | filecheck %s

// A convolution of 49 pixels and 64 filters has one or two tiles for 20 vEUs. Its 256 channels are cut into 8 parts: with
// 16, none would have as many channels as a chunk of K has rows.
// CHECK-LABEL: @convolution
// CHECK:         splits = [
// CHECK-SAME:      #rop.split<dim 3 parts 8 partial #rop.tiling<contraction tile {{\[1, .*}}, 32, 3, 3] threads 256 block {{\[.*\]}} slices {{.*}}> total #rop.tiling<generic tile [8, 7, 7] threads 256>>
vdevice.device @h100 kind "cuda" veus 20 threads 1024 shared 232448 registers 65536 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rop.weight @filter : tensor<64x256x3x3xf32> hash "f"
func.func @convolution(%image: tensor<256x7x7xf32>, %bias: tensor<64xf32>) -> tensor<64x7x7xf32> {
  %filter = rop.get_weight @filter : tensor<64x256x3x3xf32>
  %result = rop.operator ins(%image, %filter, %bias : tensor<256x7x7xf32>, tensor<64x256x3x3xf32>, tensor<64xf32>) {
  ^bb0(%x: tensor<256x7x7xf32>, %k: tensor<64x256x3x3xf32>, %b: tensor<64xf32>):
    %sum = rop.generic bounds [64, 7, 7, 256, 3, 3]
        maps [affine_map<(o, h, w, i, y, x) -> (i, h + y - 1, w + x - 1)>, affine_map<(o, h, w, i, y, x) -> (o, i, y, x)>,
              affine_map<(o, h, w, i, y, x) -> (o, h, w)>]
        reduce [add] pad [0.0 : f32, unit] ins(%x, %k : tensor<256x7x7xf32>, tensor<64x256x3x3xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<64x7x7xf32>
    %biased = rop.generic bounds [64, 7, 7]
        maps [affine_map<(o, h, w) -> (o, h, w)>, affine_map<(o, h, w) -> (o)>, affine_map<(o, h, w) -> (o, h, w)>]
        ins(%sum, %b : tensor<64x7x7xf32>, tensor<64xf32>) {
    ^bb2(%p: f32, %q: f32):
      %s = arith.addf %p, %q : f32
      rop.yield %s : f32
    } -> tensor<64x7x7xf32>
    rop.yield %biased : tensor<64x7x7xf32>
  } -> tensor<64x7x7xf32>
  func.return %result : tensor<64x7x7xf32>
}

// -----

// A matrix-vector product with 16 results: the more columns a task has, the more parts there are.
// CHECK-LABEL: @matrix_vector
// CHECK:         splits = [
// CHECK-SAME:      #rop.split<dim 1 parts 4 partial #rop.tiling<matrix_vector tile [1, 4, 2048] threads 256 block [4, 1024] slices 64> total #rop.tiling<generic tile [16] threads 256>>
// CHECK-SAME:      #rop.split<dim 1 parts 8 partial #rop.tiling<matrix_vector tile [1, 8, 1024] threads 256 block [8, 512] slices 32> total #rop.tiling<generic tile [16] threads 256>>
vdevice.device @h100 kind "cuda" veus 20 threads 1024 shared 232448 registers 65536 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rop.weight @matrix : tensor<16x8192xf32> hash "m"
func.func @matrix_vector(%vector: tensor<8192xf32>) -> tensor<16xf32> {
  %matrix = rop.get_weight @matrix : tensor<16x8192xf32>
  %result = rop.operator ins(%vector, %matrix : tensor<8192xf32>, tensor<16x8192xf32>) {
  ^bb0(%x: tensor<8192xf32>, %m: tensor<16x8192xf32>):
    %sum = rop.generic bounds [16, 8192]
        maps [affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>]
        reduce [add] ins(%x, %m : tensor<8192xf32>, tensor<16x8192xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m1 = arith.mulf %p, %q : f32
      rop.yield %m1 : f32
    } -> tensor<16xf32>
    rop.yield %sum : tensor<16xf32>
  } -> tensor<16xf32>
  func.return %result : tensor<16xf32>
}

// -----

// Sums that are no products, and operators with enough tasks, are left alone.
// CHECK-LABEL: @sums
// CHECK-NOT:     splits
vdevice.device @h100 kind "cuda" veus 20 threads 1024 shared 232448 registers 65536 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rop.weight @matrix : tensor<2560x8192xf32> hash "m"
func.func @sums(%vector: tensor<8192xf32>, %rows: tensor<2x8192xf32>) -> (tensor<2560xf32>, tensor<2xf32>) {
  %matrix = rop.get_weight @matrix : tensor<2560x8192xf32>
  %result = rop.operator ins(%vector, %matrix : tensor<8192xf32>, tensor<2560x8192xf32>) {
  ^bb0(%x: tensor<8192xf32>, %m: tensor<2560x8192xf32>):
    %sum = rop.generic bounds [2560, 8192]
        maps [affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>]
        reduce [add] ins(%x, %m : tensor<8192xf32>, tensor<2560x8192xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m1 = arith.mulf %p, %q : f32
      rop.yield %m1 : f32
    } -> tensor<2560xf32>
    rop.yield %sum : tensor<2560xf32>
  } -> tensor<2560xf32>
  %total = rop.operator ins(%rows : tensor<2x8192xf32>) {
  ^bb0(%x: tensor<2x8192xf32>):
    %sum = rop.generic bounds [2, 8192] maps [affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>]
        reduce [add] ins(%x : tensor<2x8192xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<2xf32>
    rop.yield %sum : tensor<2xf32>
  } -> tensor<2xf32>
  func.return %result, %total : tensor<2560xf32>, tensor<2xf32>
}
