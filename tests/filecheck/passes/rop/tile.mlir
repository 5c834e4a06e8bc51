// RUN: rammer-opt %s -p tile --split-input-file --verify-diagnostics | filecheck %s
// RUN: rammer-opt %s -p 'set-device{device=host veus=4},tile' --split-input-file --verify-diagnostics | filecheck %s --check-prefix=HOST

// A convolution becomes blocks for the threads, and tiles of whole rows that fit them: 4 rows of 13 in 64. Blocks much
// wider than the 24 channels are left out; a narrower one has channels cut in two.
// CHECK-LABEL: @convolution
// CHECK:         rop.operator
// CHECK-SAME:      attributes {tilings = [#rop.tiling<contraction tile [24, 4, 13] threads 256 block [64, 32, 32] slices 8>]}
// HOST-LABEL: @convolution
// HOST:         rop.operator
// HOST-SAME:      attributes {tilings = [#rop.tiling<contraction tile [24, 13, 13] threads 1 block [224, 32, 128] slices 1>,
// HOST-SAME:        #rop.tiling<contraction tile [16, 13, 13] threads 1 block [224, 16, 128] slices 1>]}
vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
rop.weight @filter : tensor<24x16x3x3xf32> hash "f"
func.func @convolution(%image: tensor<16x13x13xf32>, %bias: tensor<24xf32>) -> tensor<24x13x13xf32> {
  %filter = rop.get_weight @filter : tensor<24x16x3x3xf32>
  %result = rop.operator ins(%image, %filter, %bias : tensor<16x13x13xf32>, tensor<24x16x3x3xf32>, tensor<24xf32>) {
  ^bb0(%x: tensor<16x13x13xf32>, %k: tensor<24x16x3x3xf32>, %b: tensor<24xf32>):
    %sum = rop.generic bounds [24, 13, 13, 16, 3, 3]
        maps [affine_map<(o, h, w, i, y, x) -> (i, h + y - 1, w + x - 1)>, affine_map<(o, h, w, i, y, x) -> (o, i, y, x)>,
              affine_map<(o, h, w, i, y, x) -> (o, h, w)>]
        reduce [add] pad [0.0 : f32, unit] ins(%x, %k : tensor<16x13x13xf32>, tensor<24x16x3x3xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m = arith.mulf %p, %q : f32
      rop.yield %m : f32
    } -> tensor<24x13x13xf32>
    %biased = rop.generic bounds [24, 13, 13]
        maps [affine_map<(o, h, w) -> (o, h, w)>, affine_map<(o, h, w) -> (o)>, affine_map<(o, h, w) -> (o, h, w)>]
        ins(%sum, %b : tensor<24x13x13xf32>, tensor<24xf32>) {
    ^bb2(%p: f32, %q: f32):
      %s = arith.addf %p, %q : f32
      rop.yield %s : f32
    } -> tensor<24x13x13xf32>
    rop.yield %biased : tensor<24x13x13xf32>
  } -> tensor<24x13x13xf32>
  func.return %result : tensor<24x13x13xf32>
}

// -----

// A matrix-vector product streams its matrix: tilings with more and more columns. A host has too few threads to share one.
// CHECK-LABEL: @matrix_vector
// CHECK:         attributes {tilings = [#rop.tiling<matrix_vector tile [4, 1024] threads 256 block [4, 1024] slices 64>, #rop.tiling<matrix_vector tile [8, 1024] threads 256 block [8, 512] slices 32>, #rop.tiling<matrix_vector tile [16, 1024] threads 256 block [16, 256] slices 16>, #rop.tiling<matrix_vector tile [32, 1024] threads 256 block [32, 128] slices 8>, #rop.tiling<matrix_vector tile [64, 1024] threads 256 block [64, 64] slices 4>]}
// HOST-LABEL: @matrix_vector
// HOST:         attributes {tilings = [#rop.tiling<generic tile [256, 1024] threads 1>]}
vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
rop.weight @matrix : tensor<1024x1024xf32> hash "m"
func.func @matrix_vector(%vector: tensor<1024xf32>) -> tensor<1024xf32> {
  %matrix = rop.get_weight @matrix : tensor<1024x1024xf32>
  %result = rop.operator ins(%vector, %matrix : tensor<1024xf32>, tensor<1024x1024xf32>) {
  ^bb0(%x: tensor<1024xf32>, %m: tensor<1024x1024xf32>):
    %sum = rop.generic bounds [1024, 1024]
        maps [affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (i)>]
        reduce [add] ins(%x, %m : tensor<1024xf32>, tensor<1024x1024xf32>) {
    ^bb1(%p: f32, %q: f32):
      %m1 = arith.mulf %p, %q : f32
      rop.yield %m1 : f32
    } -> tensor<1024xf32>
    rop.yield %sum : tensor<1024xf32>
  } -> tensor<1024xf32>
  func.return %result : tensor<1024xf32>
}

// -----

// Softmax is cut between rows only: a row is reduced.
// CHECK-LABEL: @softmax
// CHECK:         attributes {tilings = [#rop.tiling<generic tile [8, 100] threads 256>]}
vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
func.func @softmax(%a: tensor<1000x100xf32>) -> tensor<1000x100xf32> {
  %result = rop.operator ins(%a : tensor<1000x100xf32>) {
  ^bb0(%x: tensor<1000x100xf32>):
    %highest = rop.generic bounds [1000, 100] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
        reduce [maximum] ins(%x : tensor<1000x100xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<1000xf32>
    %less = rop.generic bounds [1000, 100]
        maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
        ins(%x, %highest : tensor<1000x100xf32>, tensor<1000xf32>) {
    ^bb2(%p: f32, %q: f32):
      %d = arith.subf %p, %q : f32
      rop.yield %d : f32
    } -> tensor<1000x100xf32>
    rop.yield %less : tensor<1000x100xf32>
  } -> tensor<1000x100xf32>
  func.return %result : tensor<1000x100xf32>
}

// -----

// What is written into part of a tensor is cut into parts of the same size: 30 columns in tiles of 15, not of 16.
// CHECK-LABEL: @part
// CHECK:         attributes {tilings = [#rop.tiling<generic tile [1, 30, 150] threads 256>]}
vdevice.device @gpu kind "cuda" veus 375 threads 1024 shared 232448 registers 65536
func.func @part(%a: tensor<200x30x150xf32>, %y: tensor<200x64xf32>) -> tensor<200x64xf32> {
  %result = rop.operator ins(%a, %y : tensor<200x30x150xf32>, tensor<200x64xf32>) {
  ^bb0(%x: tensor<200x30x150xf32>, %d: tensor<200x64xf32>):
    %sums = rop.generic bounds [200, 30, 150]
        maps [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j + 20)>] reduce [add]
        ins(%x : tensor<200x30x150xf32>) into(%d : tensor<200x64xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<200x64xf32>
    rop.yield %sums : tensor<200x64xf32>
  } -> tensor<200x64xf32>
  func.return %result : tensor<200x64xf32>
}

// -----

// CHECK: pass tile: tile needs one vdevice.device in the module: run set-device first
func.func @main() {
  func.return
}

// -----

// 12 columns are written as 2 rows of 6. A tile of 4 would go on in the next row: its box would be both rows, whole.
// CHECK-LABEL: @taken_apart
// CHECK:         rop.operator
// CHECK-SAME:      attributes {tilings = [#rop.tiling<generic tile [1, 12] threads 256>]}
// HOST-LABEL: @taken_apart
// HOST:         rop.operator
// HOST-SAME:      attributes {tilings = [#rop.tiling<generic tile [40, 12] threads 1>]}
vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
func.func @taken_apart(%x: tensor<40x12xf32>) -> tensor<40x2x6xf32> {
  %result = rop.operator ins(%x : tensor<40x12xf32>) {
  ^bb0(%a: tensor<40x12xf32>):
    %half = rop.generic bounds [40, 12]
        maps [affine_map<(r, c) -> (r, c)>, affine_map<(r, c) -> (r, c floordiv 6, c mod 6)>] ins(%a : tensor<40x12xf32>) {
    ^bb1(%p: f32):
      %m = arith.mulf %p, %p : f32
      rop.yield %m : f32
    } -> tensor<40x2x6xf32>
    rop.yield %half : tensor<40x2x6xf32>
  } -> tensor<40x2x6xf32>
  func.return %result : tensor<40x2x6xf32>
}

// -----

// On a host, so many rows that what the generics hand on to each other stays in a cache: 3 rows of 4096 elements.
// HOST-LABEL: @kept_rows
// HOST:         attributes {tilings = [#rop.tiling<generic tile [3, 4096] threads 1>]}
vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
func.func @kept_rows(%a: tensor<240x4096xf32>) -> tensor<240x4096xf32> {
  %result = rop.operator ins(%a : tensor<240x4096xf32>) {
  ^bb0(%x: tensor<240x4096xf32>):
    %powers = rop.generic bounds [240, 4096] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]
        ins(%x : tensor<240x4096xf32>) {
    ^bb1(%p: f32):
      %e = math.exp %p : f32
      rop.yield %e : f32
    } -> tensor<240x4096xf32>
    %total = rop.generic bounds [240, 4096] maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]
        reduce [add] ins(%powers : tensor<240x4096xf32>) {
    ^bb2(%p: f32):
      rop.yield %p : f32
    } -> tensor<240xf32>
    %shares = rop.generic bounds [240, 4096]
        maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
        ins(%powers, %total : tensor<240x4096xf32>, tensor<240xf32>) {
    ^bb3(%p: f32, %q: f32):
      %d = arith.divf %p, %q : f32
      rop.yield %d : f32
    } -> tensor<240x4096xf32>
    rop.yield %shares : tensor<240x4096xf32>
  } -> tensor<240x4096xf32>
  func.return %result : tensor<240x4096xf32>
}
