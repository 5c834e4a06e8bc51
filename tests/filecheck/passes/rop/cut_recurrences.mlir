// RUN: rammer-opt %s -p cut-recurrences --split-input-file | filecheck %s

// Two layers of three steps. A step's operators become one; it, and what gives the state before the first step, are cut
// alike. What the second layer writes for others than steps has no such beginning.
// CHECK-LABEL: func.func @main
// CHECK:         rop.operator ins(%zeros, %rows0 : {{.*}}) attributes {tilings = [#rop.tiling<recurrence tile [4] threads 64>]} {
// CHECK:         %h0 = rop.scan
// CHECK-NEXT:    ^bb
// CHECK-NEXT:      rop.operator ins(%xs, %w, %t, %h, %r : {{.*}}) attributes {tilings = [#rop.tiling<recurrence tile [4] threads 64>]} {
// CHECK:             rop.generic bounds [4, 4] {{.*}} reduce [add]
// CHECK:             rop.generic bounds [4, 4] {{.*}} reduce [add]
// CHECK:             rop.generic bounds [4] {{.*}} ins(%px, %ph :
// CHECK:         rop.operator ins(%zeros, %rows1 : {{.*}}) attributes {tilings = [#rop.tiling<recurrence
// CHECK:         %h1, %y = rop.scan
// CHECK-NEXT:    ^bb
// CHECK-NEXT:      rop.operator ins(%xs, %w, %t, %h, %r, %a : {{.*}}) attributes {tilings = [#rop.tiling<recurrence
// CHECK-NOT:       rop.operator
vdevice.device @device kind "cuda" veus 8 threads 1024 shared 65536 registers 65536
rop.weight @w0 : tensor<4x4xf32> hash "w0"
rop.weight @r0 : tensor<4x4xf32> hash "r0"
rop.weight @w1 : tensor<4x4xf32> hash "w1"
rop.weight @r1 : tensor<4x4xf32> hash "r1"
rop.weight @zeros : tensor<4xf32> hash "z"
func.func @main(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %zeros = rop.get_weight @zeros : tensor<4xf32>
  %w0 = rop.get_weight @w0 : tensor<4x4xf32>
  %r0 = rop.get_weight @r0 : tensor<4x4xf32>
  %w1 = rop.get_weight @w1 : tensor<4x4xf32>
  %r1 = rop.get_weight @r1 : tensor<4x4xf32>
  %n = arith.constant 3 : index
  %rows0 = tensor.empty() : tensor<4x4xf32>
  %start0 = rop.operator ins(%zeros, %rows0 : tensor<4xf32>, tensor<4x4xf32>) {
  ^bb0(%z: tensor<4xf32>, %into: tensor<4x4xf32>):
    %0 = rop.generic bounds [4] maps [affine_map<(u) -> (u)>, affine_map<(u) -> (0, u)>]
        ins(%z : tensor<4xf32>) into(%into : tensor<4x4xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<4x4xf32>
    rop.yield %0 : tensor<4x4xf32>
  } -> tensor<4x4xf32>
  %h0 = rop.scan %n carried(%start0 : tensor<4x4xf32>) captured(%w0, %r0, %x : tensor<4x4xf32>, tensor<4x4xf32>, tensor<3x4xf32>) {
  ^bb0(%t: index, %h: tensor<4x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>, %xs: tensor<3x4xf32>):
    %of_x = rop.operator ins(%xs, %w, %t : tensor<3x4xf32>, tensor<4x4xf32>, index) {
    ^bb1(%xo: tensor<3x4xf32>, %wo: tensor<4x4xf32>, %s: index):
      %px = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%xo, %wo : tensor<3x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      rop.yield %px : tensor<4xf32>
    } -> tensor<4xf32>
    %h1 = rop.operator ins(%h, %r, %t, %of_x : tensor<4x4xf32>, tensor<4x4xf32>, index, tensor<4xf32>) {
    ^bb1(%ho: tensor<4x4xf32>, %ro: tensor<4x4xf32>, %s: index, %px: tensor<4xf32>):
      %ph = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%ho, %ro : tensor<4x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      %b = rop.generic bounds [4] maps [affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (t + 1, u)>]
          ins(%px, %ph : tensor<4xf32>, tensor<4xf32>) into(%ho : tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %1 = arith.addf %p, %q : f32
        %2 = math.tanh %1 : f32
        rop.yield %2 : f32
      } -> tensor<4x4xf32>
      rop.yield %b : tensor<4x4xf32>
    } -> tensor<4x4xf32>
    rop.yield %h1 : tensor<4x4xf32>
  } -> tensor<4x4xf32>
  %rows1 = tensor.empty() : tensor<4x4xf32>
  %start1 = rop.operator ins(%zeros, %rows1 : tensor<4xf32>, tensor<4x4xf32>) {
  ^bb0(%z: tensor<4xf32>, %into: tensor<4x4xf32>):
    %0 = rop.generic bounds [4] maps [affine_map<(u) -> (u)>, affine_map<(u) -> (0, u)>]
        ins(%z : tensor<4xf32>) into(%into : tensor<4x4xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<4x4xf32>
    rop.yield %0 : tensor<4x4xf32>
  } -> tensor<4x4xf32>
  %all = tensor.empty() : tensor<3x4xf32>
  %h1, %y = rop.scan %n carried(%start1, %all : tensor<4x4xf32>, tensor<3x4xf32>) captured(%w1, %r1, %h0 : tensor<4x4xf32>, tensor<4x4xf32>, tensor<4x4xf32>) {
  ^bb0(%t: index, %h: tensor<4x4xf32>, %a: tensor<3x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>, %xs: tensor<4x4xf32>):
    %of_x = rop.operator ins(%xs, %w, %t : tensor<4x4xf32>, tensor<4x4xf32>, index) {
    ^bb1(%xo: tensor<4x4xf32>, %wo: tensor<4x4xf32>, %s: index):
      %px = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t + 1, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%xo, %wo : tensor<4x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      rop.yield %px : tensor<4xf32>
    } -> tensor<4xf32>
    %h1, %a1 = rop.operator ins(%h, %r, %t, %of_x, %a : tensor<4x4xf32>, tensor<4x4xf32>, index, tensor<4xf32>, tensor<3x4xf32>) {
    ^bb1(%ho: tensor<4x4xf32>, %ro: tensor<4x4xf32>, %s: index, %px: tensor<4xf32>, %ao: tensor<3x4xf32>):
      %ph = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%ho, %ro : tensor<4x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      %b, %c = rop.generic bounds [4] maps [affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (t + 1, u)>, affine_map<(u)[t] -> (t, u)>]
          ins(%px, %ph : tensor<4xf32>, tensor<4xf32>) into(%ho, %ao : tensor<4x4xf32>, tensor<3x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %1 = arith.addf %p, %q : f32
        %2 = math.tanh %1 : f32
        rop.yield %2, %2 : f32, f32
      } -> tensor<4x4xf32>, tensor<3x4xf32>
      rop.yield %b, %c : tensor<4x4xf32>, tensor<3x4xf32>
    } -> tensor<4x4xf32>, tensor<3x4xf32>
    rop.yield %h1, %a1 : tensor<4x4xf32>, tensor<3x4xf32>
  } -> tensor<4x4xf32>, tensor<3x4xf32>
  func.return %y : tensor<3x4xf32>
}

// -----

// Others than steps read the state: it stays as it is.
// CHECK-LABEL: func.func @main
// CHECK-NOT:     tilings
vdevice.device @device kind "cuda" veus 8 threads 1024 shared 65536 registers 65536
rop.weight @w0 : tensor<4x4xf32> hash "w0"
rop.weight @r0 : tensor<4x4xf32> hash "r0"
rop.weight @zeros : tensor<4xf32> hash "z"
func.func @main(%x: tensor<3x4xf32>) -> (tensor<3x4xf32>, tensor<4x4xf32>) {
  %zeros = rop.get_weight @zeros : tensor<4xf32>
  %w0 = rop.get_weight @w0 : tensor<4x4xf32>
  %r0 = rop.get_weight @r0 : tensor<4x4xf32>
  %n = arith.constant 3 : index
  %rows0 = tensor.empty() : tensor<4x4xf32>
  %start0 = rop.operator ins(%zeros, %rows0 : tensor<4xf32>, tensor<4x4xf32>) {
  ^bb0(%z: tensor<4xf32>, %into: tensor<4x4xf32>):
    %0 = rop.generic bounds [4] maps [affine_map<(u) -> (u)>, affine_map<(u) -> (0, u)>]
        ins(%z : tensor<4xf32>) into(%into : tensor<4x4xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<4x4xf32>
    rop.yield %0 : tensor<4x4xf32>
  } -> tensor<4x4xf32>
  %all = tensor.empty() : tensor<3x4xf32>
  %h0, %y = rop.scan %n carried(%start0, %all : tensor<4x4xf32>, tensor<3x4xf32>) captured(%w0, %r0, %x : tensor<4x4xf32>, tensor<4x4xf32>, tensor<3x4xf32>) {
  ^bb0(%t: index, %h: tensor<4x4xf32>, %a: tensor<3x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>, %xs: tensor<3x4xf32>):
    %of_x = rop.operator ins(%xs, %w, %t : tensor<3x4xf32>, tensor<4x4xf32>, index) {
    ^bb1(%xo: tensor<3x4xf32>, %wo: tensor<4x4xf32>, %s: index):
      %px = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%xo, %wo : tensor<3x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      rop.yield %px : tensor<4xf32>
    } -> tensor<4xf32>
    %h1, %a1 = rop.operator ins(%h, %r, %t, %of_x, %a : tensor<4x4xf32>, tensor<4x4xf32>, index, tensor<4xf32>, tensor<3x4xf32>) {
    ^bb1(%ho: tensor<4x4xf32>, %ro: tensor<4x4xf32>, %s: index, %px: tensor<4xf32>, %ao: tensor<3x4xf32>):
      %ph = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%ho, %ro : tensor<4x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      %b, %c = rop.generic bounds [4] maps [affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (t + 1, u)>, affine_map<(u)[t] -> (t, u)>]
          ins(%px, %ph : tensor<4xf32>, tensor<4xf32>) into(%ho, %ao : tensor<4x4xf32>, tensor<3x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %1 = arith.addf %p, %q : f32
        %2 = math.tanh %1 : f32
        rop.yield %2, %2 : f32, f32
      } -> tensor<4x4xf32>, tensor<3x4xf32>
      rop.yield %b, %c : tensor<4x4xf32>, tensor<3x4xf32>
    } -> tensor<4x4xf32>, tensor<3x4xf32>
    rop.yield %h1, %a1 : tensor<4x4xf32>, tensor<3x4xf32>
  } -> tensor<4x4xf32>, tensor<3x4xf32>
  func.return %y, %h0 : tensor<3x4xf32>, tensor<4x4xf32>
}

// -----

// A length that is not known, and a device whose registers and shared memory do not hold the weights.
// CHECK-LABEL: func.func @main
// CHECK-NOT:     tilings
vdevice.device @device kind "cuda" veus 8 threads 1024 shared 65536 registers 65536
rop.weight @w0 : tensor<4x4xf32> hash "w0"
rop.weight @r0 : tensor<4x4xf32> hash "r0"
rop.weight @zeros : tensor<4xf32> hash "z"
func.func @main(%x: tensor<3x4xf32>, %n: index) -> tensor<3x4xf32> {
  %zeros = rop.get_weight @zeros : tensor<4xf32>
  %w0 = rop.get_weight @w0 : tensor<4x4xf32>
  %r0 = rop.get_weight @r0 : tensor<4x4xf32>
  %rows0 = tensor.empty() : tensor<4x4xf32>
  %start0 = rop.operator ins(%zeros, %rows0 : tensor<4xf32>, tensor<4x4xf32>) {
  ^bb0(%z: tensor<4xf32>, %into: tensor<4x4xf32>):
    %0 = rop.generic bounds [4] maps [affine_map<(u) -> (u)>, affine_map<(u) -> (0, u)>]
        ins(%z : tensor<4xf32>) into(%into : tensor<4x4xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<4x4xf32>
    rop.yield %0 : tensor<4x4xf32>
  } -> tensor<4x4xf32>
  %all = tensor.empty() : tensor<3x4xf32>
  %h0, %y = rop.scan %n carried(%start0, %all : tensor<4x4xf32>, tensor<3x4xf32>) captured(%w0, %r0, %x : tensor<4x4xf32>, tensor<4x4xf32>, tensor<3x4xf32>) {
  ^bb0(%t: index, %h: tensor<4x4xf32>, %a: tensor<3x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>, %xs: tensor<3x4xf32>):
    %of_x = rop.operator ins(%xs, %w, %t : tensor<3x4xf32>, tensor<4x4xf32>, index) {
    ^bb1(%xo: tensor<3x4xf32>, %wo: tensor<4x4xf32>, %s: index):
      %px = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%xo, %wo : tensor<3x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      rop.yield %px : tensor<4xf32>
    } -> tensor<4xf32>
    %h1, %a1 = rop.operator ins(%h, %r, %t, %of_x, %a : tensor<4x4xf32>, tensor<4x4xf32>, index, tensor<4xf32>, tensor<3x4xf32>) {
    ^bb1(%ho: tensor<4x4xf32>, %ro: tensor<4x4xf32>, %s: index, %px: tensor<4xf32>, %ao: tensor<3x4xf32>):
      %ph = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%ho, %ro : tensor<4x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      %b, %c = rop.generic bounds [4] maps [affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (t + 1, u)>, affine_map<(u)[t] -> (t, u)>]
          ins(%px, %ph : tensor<4xf32>, tensor<4xf32>) into(%ho, %ao : tensor<4x4xf32>, tensor<3x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %1 = arith.addf %p, %q : f32
        %2 = math.tanh %1 : f32
        rop.yield %2, %2 : f32, f32
      } -> tensor<4x4xf32>, tensor<3x4xf32>
      rop.yield %b, %c : tensor<4x4xf32>, tensor<3x4xf32>
    } -> tensor<4x4xf32>, tensor<3x4xf32>
    rop.yield %h1, %a1 : tensor<4x4xf32>, tensor<3x4xf32>
  } -> tensor<4x4xf32>, tensor<3x4xf32>
  func.return %y : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: func.func @main
// CHECK-NOT:     tilings
vdevice.device @device kind "cuda" veus 8 threads 1024 shared 4096 registers 1024
rop.weight @w0 : tensor<4x4xf32> hash "w0"
rop.weight @r0 : tensor<4x4xf32> hash "r0"
rop.weight @zeros : tensor<4xf32> hash "z"
func.func @main(%x: tensor<3x4xf32>) -> tensor<3x4xf32> {
  %zeros = rop.get_weight @zeros : tensor<4xf32>
  %w0 = rop.get_weight @w0 : tensor<4x4xf32>
  %r0 = rop.get_weight @r0 : tensor<4x4xf32>
  %n = arith.constant 3 : index
  %rows0 = tensor.empty() : tensor<4x4xf32>
  %start0 = rop.operator ins(%zeros, %rows0 : tensor<4xf32>, tensor<4x4xf32>) {
  ^bb0(%z: tensor<4xf32>, %into: tensor<4x4xf32>):
    %0 = rop.generic bounds [4] maps [affine_map<(u) -> (u)>, affine_map<(u) -> (0, u)>]
        ins(%z : tensor<4xf32>) into(%into : tensor<4x4xf32>) {
    ^bb1(%p: f32):
      rop.yield %p : f32
    } -> tensor<4x4xf32>
    rop.yield %0 : tensor<4x4xf32>
  } -> tensor<4x4xf32>
  %all = tensor.empty() : tensor<3x4xf32>
  %h0, %y = rop.scan %n carried(%start0, %all : tensor<4x4xf32>, tensor<3x4xf32>) captured(%w0, %r0, %x : tensor<4x4xf32>, tensor<4x4xf32>, tensor<3x4xf32>) {
  ^bb0(%t: index, %h: tensor<4x4xf32>, %a: tensor<3x4xf32>, %w: tensor<4x4xf32>, %r: tensor<4x4xf32>, %xs: tensor<3x4xf32>):
    %of_x = rop.operator ins(%xs, %w, %t : tensor<3x4xf32>, tensor<4x4xf32>, index) {
    ^bb1(%xo: tensor<3x4xf32>, %wo: tensor<4x4xf32>, %s: index):
      %px = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%xo, %wo : tensor<3x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      rop.yield %px : tensor<4xf32>
    } -> tensor<4xf32>
    %h1, %a1 = rop.operator ins(%h, %r, %t, %of_x, %a : tensor<4x4xf32>, tensor<4x4xf32>, index, tensor<4xf32>, tensor<3x4xf32>) {
    ^bb1(%ho: tensor<4x4xf32>, %ro: tensor<4x4xf32>, %s: index, %px: tensor<4xf32>, %ao: tensor<3x4xf32>):
      %ph = rop.generic bounds [4, 4] maps [affine_map<(u, k)[t] -> (t, k)>, affine_map<(u, k)[t] -> (u, k)>, affine_map<(u, k)[t] -> (u)>]
          reduce [add] ins(%ho, %ro : tensor<4x4xf32>, tensor<4x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %0 = arith.mulf %p, %q : f32
        rop.yield %0 : f32
      } -> tensor<4xf32>
      %b, %c = rop.generic bounds [4] maps [affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (u)>, affine_map<(u)[t] -> (t + 1, u)>, affine_map<(u)[t] -> (t, u)>]
          ins(%px, %ph : tensor<4xf32>, tensor<4xf32>) into(%ho, %ao : tensor<4x4xf32>, tensor<3x4xf32>) at(%s) {
      ^bb2(%p: f32, %q: f32):
        %1 = arith.addf %p, %q : f32
        %2 = math.tanh %1 : f32
        rop.yield %2, %2 : f32, f32
      } -> tensor<4x4xf32>, tensor<3x4xf32>
      rop.yield %b, %c : tensor<4x4xf32>, tensor<3x4xf32>
    } -> tensor<4x4xf32>, tensor<3x4xf32>
    rop.yield %h1, %a1 : tensor<4x4xf32>, tensor<3x4xf32>
  } -> tensor<4x4xf32>, tensor<3x4xf32>
  func.return %y : tensor<3x4xf32>
}
