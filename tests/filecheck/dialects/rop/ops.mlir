// RUN: RAMMER_ROUNDTRIP
// RUN: rammer-opt %s | rammer-opt | filecheck %s

// Attributes that stand on ops of any dialect.
"test.op"() {
  combiners = [#rop<combiner add>, #rop<combiner multiply>, #rop<combiner maximum>, #rop<combiner minimum>, #rop<combiner none>],
  tilings = [#rop.tiling<generic tile [1, 4096] threads 256>,
             #rop.tiling<contraction tile [64, 8, 8] threads 256 block [64, 64, 32] slices 4>,
             #rop.tiling<contraction tile [64, 8, 8] threads 256 block [64, 64, 32] slices 2 arithmetic "3xtf32">,
             #rop.tiling<matrix_vector tile [1, 32] threads 256 block [32, 128] slices 8>],
  splits = [#rop.split<dim 2 parts 4 partial #rop.tiling<generic tile [1, 8, 64] threads 256> total #rop.tiling<generic tile [8, 64] threads 256>>]
} : () -> ()

rop.weight @filter : tensor<64x3x3x3xf32> hash "5f3a"
rop.weight @noted : tensor<2xf32> hash "00" attributes {note = "of the model"}
rop.weight @table : tensor<4xi32> {
  %numbers = rop.generic bounds [4] maps [affine_map<(d) -> (d)>] {
    %i = rop.index 0
    %n = arith.index_cast %i : index to i32
    rop.yield %n : i32
  } -> tensor<4xi32>
  rop.yield %numbers : tensor<4xi32>
}

// A convolution: padded reads, a reduction.
func.func @convolution(%image: tensor<1x3x32x32xf32>) -> tensor<1x64x32x32xf32> {
  %w = rop.get_weight @filter : tensor<64x3x3x3xf32>
  %c = rop.generic bounds [64, 32, 32, 3, 3, 3]
      maps [affine_map<(o, h, w, i, y, x) -> (0, i, h + y - 1, w + x - 1)>,
            affine_map<(o, h, w, i, y, x) -> (o, i, y, x)>,
            affine_map<(o, h, w, i, y, x) -> (0, o, h, w)>]
      reduce [add] pad [0.0 : f32, unit] ins(%image, %w : tensor<1x3x32x32xf32>, tensor<64x3x3x3xf32>) {
  ^bb0(%p: f32, %q: f32):
    %m = arith.mulf %p, %q : f32
    rop.yield %m : f32
  } -> tensor<1x64x32x32xf32>
  func.return %c : tensor<1x64x32x32xf32>
}

// Two results, one of them reduced; tiles with symbols, written into others; an attribute.
func.func @tiles(%x: tensor<30x4xf32>, %y: tensor<30x4xf32>, %z: tensor<30xf32>, %i: index, %j: index)
    -> (tensor<30x4xf32>, tensor<30xf32>) {
  %r:2 = rop.generic bounds [8, 4]
      maps [affine_map<(a, b)[i, j] -> (a + i * 8 + j, b)>, affine_map<(a, b)[i, j] -> (a + i * 8 + j, b)>,
            affine_map<(a, b)[i, j] -> (a + i * 8 + j)>]
      reduce [none, maximum] ins(%x : tensor<30x4xf32>) into(%y, %z : tensor<30x4xf32>, tensor<30xf32>) at(%i, %j)
      attributes {note} {
  ^bb0(%p: f32):
    rop.yield %p, %p : f32, f32
  } -> tensor<30x4xf32>, tensor<30xf32>
  func.return %r#0, %r#1 : tensor<30x4xf32>, tensor<30xf32>
}

// A fusion group, and one without inputs.
func.func @operators(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
  %r = rop.operator ins(%x : tensor<4xf32>) attributes {tilings = [#rop.tiling<generic tile [2] threads 64>]} {
  ^bb0(%a: tensor<4xf32>):
    %d = rop.generic bounds [4] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%a : tensor<4xf32>) {
    ^bb1(%p: f32):
      %s = arith.addf %p, %p : f32
      rop.yield %s : f32
    } -> tensor<4xf32>
    rop.yield %d : tensor<4xf32>
  } -> tensor<4xf32>
  %one = rop.operator {
    %e = rop.generic bounds [4] maps [affine_map<(i) -> (i)>] {
      %v = arith.constant 1.0 : f32
      rop.yield %v : f32
    } -> tensor<4xf32>
    rop.yield %e : tensor<4xf32>
  } -> tensor<4xf32>
  func.return %r, %one : tensor<4xf32>, tensor<4xf32>
}

// A scan with all it may have, and one that only carries.
func.func @scans(%n: index, %x: tensor<100x8xf32>, %h: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<100x8xf32> {
  %last, %all = rop.scan %n reverse scanned(%x : tensor<100x8xf32>) carried(%h : tensor<8xf32>)
      captured(%w : tensor<8x8xf32>) attributes {note} {
  ^bb0(%t: index, %xt: tensor<8xf32>, %ht: tensor<8xf32>, %r: tensor<8x8xf32>):
    rop.yield %xt, %ht : tensor<8xf32>, tensor<8xf32>
  } -> tensor<8xf32>, tensor<100x8xf32>
  %same = rop.scan %n carried(%h : tensor<8xf32>) {
  ^bb1(%t: index, %ht: tensor<8xf32>):
    rop.yield %ht : tensor<8xf32>
  } -> tensor<8xf32>
  func.return %all : tensor<100x8xf32>
}

// Reads at computed indices, of two tensors from around the generic; one of them has no dimensions.
func.func @gather(%numbers: tensor<3xi64>, %table: tensor<10x4xf32>, %scale: tensor<f32>) -> tensor<3x4xf32> {
  %r = rop.generic bounds [3, 4] maps [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]
      ins(%numbers : tensor<3xi64>) {
  ^bb0(%number: i64):
    %row = arith.index_cast %number : i64 to index
    %column = rop.index 1
    %e = rop.extract %table[%row, %column] {note} : tensor<10x4xf32>
    %s = rop.extract %scale[] : tensor<f32>
    %p = arith.mulf %e, %s : f32
    rop.yield %p : f32
  } -> tensor<3x4xf32>
  func.return %r : tensor<3x4xf32>
}

// CHECK:      "test.op"() {combiners = [#rop<combiner add>, #rop<combiner multiply>, #rop<combiner maximum>, #rop<combiner minimum>, #rop<combiner none>], tilings = [#rop.tiling<generic tile [1, 4096] threads 256>, #rop.tiling<contraction tile [64, 8, 8] threads 256 block [64, 64, 32] slices 4>, #rop.tiling<contraction tile [64, 8, 8] threads 256 block [64, 64, 32] slices 2 arithmetic "3xtf32">, #rop.tiling<matrix_vector tile [1, 32] threads 256 block [32, 128] slices 8>], splits = [#rop.split<dim 2 parts 4 partial #rop.tiling<generic tile [1, 8, 64] threads 256> total #rop.tiling<generic tile [8, 64] threads 256>>]} : () -> ()
// CHECK:      rop.weight @filter : tensor<64x3x3x3xf32> hash "5f3a"
// CHECK:      rop.weight @noted : tensor<2xf32> hash "00" attributes {note = "of the model"}
// CHECK:      rop.weight @table : tensor<4xi32> {
// CHECK-NEXT:   %numbers = rop.generic bounds [4] maps [affine_map<(d0) -> (d0)>] {
// CHECK-NEXT:     %i = rop.index 0
// CHECK-NEXT:     %n = arith.index_cast %i : index to i32
// CHECK-NEXT:     rop.yield %n : i32
// CHECK-NEXT:   } -> tensor<4xi32>
// CHECK-NEXT:   rop.yield %numbers : tensor<4xi32>
// CHECK-NEXT: }
// CHECK:      func.func @convolution(%image: tensor<1x3x32x32xf32>) -> tensor<1x64x32x32xf32> {
// CHECK-NEXT:   %w = rop.get_weight @filter : tensor<64x3x3x3xf32>
// CHECK-NEXT:   %c = rop.generic bounds [64, 32, 32, 3, 3, 3] maps [affine_map<(d0, d1, d2, d3, d4, d5) -> (0, d3, ((d1 + d4) + -1), ((d2 + d5) + -1))>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d3, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (0, d0, d1, d2)>] reduce [add] pad [0.000000e+00 : f32, unit] ins(%image, %w : tensor<1x3x32x32xf32>, tensor<64x3x3x3xf32>) {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%p: f32, %q: f32):
// CHECK-NEXT:     %m = arith.mulf %p, %q : f32
// CHECK-NEXT:     rop.yield %m : f32
// CHECK-NEXT:   } -> tensor<1x64x32x32xf32>
// CHECK-NEXT:   func.return %c : tensor<1x64x32x32xf32>
// CHECK-NEXT: }
// CHECK:      func.func @tiles(%x: tensor<30x4xf32>, %y: tensor<30x4xf32>, %z: tensor<30xf32>, %i: index, %j: index) -> (tensor<30x4xf32>, tensor<30xf32>) {
// CHECK-NEXT:   %r, %r_1 = rop.generic bounds [8, 4] maps [affine_map<(d0, d1)[s0, s1] -> (((d0 + (s0 * 8)) + s1), d1)>, affine_map<(d0, d1)[s0, s1] -> (((d0 + (s0 * 8)) + s1), d1)>, affine_map<(d0, d1)[s0, s1] -> (((d0 + (s0 * 8)) + s1))>] reduce [none, maximum] ins(%x : tensor<30x4xf32>) into(%y, %z : tensor<30x4xf32>, tensor<30xf32>) at(%i, %j) attributes {note} {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%p: f32):
// CHECK-NEXT:     rop.yield %p, %p : f32, f32
// CHECK-NEXT:   } -> tensor<30x4xf32>, tensor<30xf32>
// CHECK-NEXT:   func.return %r, %r_1 : tensor<30x4xf32>, tensor<30xf32>
// CHECK-NEXT: }
// CHECK:      func.func @operators(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>) {
// CHECK-NEXT:   %r = rop.operator ins(%x : tensor<4xf32>) attributes {tilings = [#rop.tiling<generic tile [2] threads 64>]} {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%a: tensor<4xf32>):
// CHECK-NEXT:     %d = rop.generic bounds [4] maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] ins(%a : tensor<4xf32>) {
// CHECK-NEXT:     ^bb{{[0-9]+}}(%p: f32):
// CHECK-NEXT:       %s = arith.addf %p, %p : f32
// CHECK-NEXT:       rop.yield %s : f32
// CHECK-NEXT:     } -> tensor<4xf32>
// CHECK-NEXT:     rop.yield %d : tensor<4xf32>
// CHECK-NEXT:   } -> tensor<4xf32>
// CHECK-NEXT:   %one = rop.operator {
// CHECK-NEXT:     %e = rop.generic bounds [4] maps [affine_map<(d0) -> (d0)>] {
// CHECK-NEXT:       %v = arith.constant 1.000000e+00 : f32
// CHECK-NEXT:       rop.yield %v : f32
// CHECK-NEXT:     } -> tensor<4xf32>
// CHECK-NEXT:     rop.yield %e : tensor<4xf32>
// CHECK-NEXT:   } -> tensor<4xf32>
// CHECK-NEXT:   func.return %r, %one : tensor<4xf32>, tensor<4xf32>
// CHECK-NEXT: }
// CHECK:      func.func @scans(%n: index, %x: tensor<100x8xf32>, %h: tensor<8xf32>, %w: tensor<8x8xf32>) -> tensor<100x8xf32> {
// CHECK-NEXT:   %last, %all = rop.scan %n reverse scanned(%x : tensor<100x8xf32>) carried(%h : tensor<8xf32>) captured(%w : tensor<8x8xf32>) attributes {note} {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%t: index, %xt: tensor<8xf32>, %ht: tensor<8xf32>, %r: tensor<8x8xf32>):
// CHECK-NEXT:     rop.yield %xt, %ht : tensor<8xf32>, tensor<8xf32>
// CHECK-NEXT:   } -> tensor<8xf32>, tensor<100x8xf32>
// CHECK-NEXT:   %same = rop.scan %n carried(%h : tensor<8xf32>) {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%t: index, %ht: tensor<8xf32>):
// CHECK-NEXT:     rop.yield %ht : tensor<8xf32>
// CHECK-NEXT:   } -> tensor<8xf32>
// CHECK-NEXT:   func.return %all : tensor<100x8xf32>
// CHECK-NEXT: }
// CHECK:      func.func @gather(%numbers: tensor<3xi64>, %table: tensor<10x4xf32>, %scale: tensor<f32>) -> tensor<3x4xf32> {
// CHECK-NEXT:   %r = rop.generic bounds [3, 4] maps [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0, d1)>] ins(%numbers : tensor<3xi64>) {
// CHECK-NEXT:   ^bb{{[0-9]+}}(%number: i64):
// CHECK-NEXT:     %row = arith.index_cast %number : i64 to index
// CHECK-NEXT:     %column = rop.index 1
// CHECK-NEXT:     %e = rop.extract %table[%row, %column] {note} : tensor<10x4xf32>
// CHECK-NEXT:     %s = rop.extract %scale[] : tensor<f32>
// CHECK-NEXT:     %p = arith.mulf %e, %s : f32
