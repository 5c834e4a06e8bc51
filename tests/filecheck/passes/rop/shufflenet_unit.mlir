// RUN: rammer-opt %s -p optimize-rop | filecheck %s

// A unit of ShuffleNet: a grouped convolution, a channel shuffle (reshape, transpose, reshape), a depthwise convolution
// and another grouped one. Three rOperators are left; the depthwise convolution reads the channels where they are, and
// nothing is copied.
// CHECK:       func.func @main
// CHECK:         %[[A:.*]] = rop.operator
// CHECK-NOT:     rop.operator
// CHECK:         rop.generic {{.*}} reduce [add]
// CHECK-NOT:     rop.operator
// CHECK:         rop.generic
// CHECK-NEXT:    ^bb0(%{{.*}}: f32):
// CHECK-NEXT:      arith.constant
// CHECK-NEXT:      arith.maximumf
// CHECK-NOT:     rop.generic
// CHECK:         rop.operator ins(%[[A]],
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      rop.generic {{.*}} mod 2) * 3) + (d{{[0-9]+}} floordiv 2)){{.*}} reduce [add]
// CHECK-NEXT:      ^bb0(%{{.*}}: f32, %{{.*}}: f32):
// CHECK-NEXT:        arith.mulf
// CHECK-NOT:     rop.generic
// CHECK:         rop.operator
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      rop.generic {{.*}} reduce [add]
// CHECK:           arith.addf
// CHECK:           arith.maximumf
// CHECK-NOT:     rop.operator
builtin.module @model {
  rop.weight @w0 : tensor<6x4x1x1xf32> hash "849203e6b4e586413022ab65a115f70a"
  rop.weight @w1 : tensor<6x1x3x3xf32> hash "624ca9ed8543b4eda972ee151b19948a"
  rop.weight @w2 : tensor<8x3x1x1xf32> hash "849203e6b4e586413022ab65a115f70a"
  func.func @main(%0: tensor<1x8x5x5xf32> {rop.name = "x"}) -> (tensor<1x8x5x5xf32> {rop.name = "y"}) {
    %w0 = rop.get_weight @w0 : tensor<6x4x1x1xf32>
    %compress = rop.generic bounds [1, 2, 3, 5, 5, 4] maps [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, ((d1 * 4) + d5), d3, d4)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (((d1 * 3) + d2), d5, 0, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, ((d1 * 3) + d2), d3, d4)>] reduce [add] ins(%0, %w0 : tensor<1x8x5x5xf32>, tensor<6x4x1x1xf32>) {
    ^bb0(%1: f32, %2: f32):
      %3 = arith.mulf %1, %2 : f32
      rop.yield %3 : f32
    } -> tensor<1x6x5x5xf32>
    %relu = rop.generic bounds [1, 6, 5, 5] maps [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>] ins(%compress : tensor<1x6x5x5xf32>) {
    ^bb0(%4: f32):
      %5 = arith.constant 0.000000e+00 : f32
      %6 = arith.maximumf %4, %5 : f32
      rop.yield %6 : f32
    } -> tensor<1x6x5x5xf32>
    %split = rop.generic bounds [1, 2, 3, 5, 5] maps [affine_map<(d0, d1, d2, d3, d4) -> (0, ((d1 * 3) + d2), d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>] ins(%relu : tensor<1x6x5x5xf32>) {
    ^bb0(%7: f32):
      rop.yield %7 : f32
    } -> tensor<1x2x3x5x5xf32>
    %shuffle = rop.generic bounds [1, 3, 2, 5, 5] maps [affine_map<(d0, d1, d2, d3, d4) -> (d0, d2, d1, d3, d4)>, affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>] ins(%split : tensor<1x2x3x5x5xf32>) {
    ^bb0(%8: f32):
      rop.yield %8 : f32
    } -> tensor<1x3x2x5x5xf32>
    %join = rop.generic bounds [1, 6, 5, 5] maps [affine_map<(d0, d1, d2, d3) -> (0, (d1 floordiv 2), (d1 mod 2), d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>] ins(%shuffle : tensor<1x3x2x5x5xf32>) {
    ^bb0(%9: f32):
      rop.yield %9 : f32
    } -> tensor<1x6x5x5xf32>
    %w1 = rop.get_weight @w1 : tensor<6x1x3x3xf32>
    %depthwise = rop.generic bounds [1, 6, 5, 5, 3, 3] maps [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, ((d2 + d4) + -1), ((d3 + d5) + -1))>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d1, 0, d4, d5)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, d1, d2, d3)>] reduce [add] pad [0.000000e+00 : f32, unit] ins(%join, %w1 : tensor<1x6x5x5xf32>, tensor<6x1x3x3xf32>) {
    ^bb0(%10: f32, %11: f32):
      %12 = arith.mulf %10, %11 : f32
      rop.yield %12 : f32
    } -> tensor<1x6x5x5xf32>
    %w2 = rop.get_weight @w2 : tensor<8x3x1x1xf32>
    %expand = rop.generic bounds [1, 2, 4, 5, 5, 3] maps [affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, ((d1 * 3) + d5), d3, d4)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (((d1 * 4) + d2), d5, 0, 0)>, affine_map<(d0, d1, d2, d3, d4, d5) -> (d0, ((d1 * 4) + d2), d3, d4)>] reduce [add] ins(%depthwise, %w2 : tensor<1x6x5x5xf32>, tensor<8x3x1x1xf32>) {
    ^bb0(%13: f32, %14: f32):
      %15 = arith.mulf %13, %14 : f32
      rop.yield %15 : f32
    } -> tensor<1x8x5x5xf32>
    %sum = rop.generic bounds [1, 8, 5, 5] maps [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>] ins(%expand, %0 : tensor<1x8x5x5xf32>, tensor<1x8x5x5xf32>) {
    ^bb0(%16: f32, %17: f32):
      %18 = arith.addf %16, %17 : f32
      rop.yield %18 : f32
    } -> tensor<1x8x5x5xf32>
    %last = rop.generic bounds [1, 8, 5, 5] maps [affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>, affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>] ins(%sum : tensor<1x8x5x5xf32>) {
    ^bb0(%19: f32):
      %20 = arith.constant 0.000000e+00 : f32
      %21 = arith.maximumf %19, %20 : f32
      rop.yield %21 : f32
    } -> tensor<1x8x5x5xf32>
    func.return %last : tensor<1x8x5x5xf32>
  }
}
