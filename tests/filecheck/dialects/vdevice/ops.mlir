// RUN: RAMMER_ROUNDTRIP
// RUN: rammer-opt %s | rammer-opt | filecheck %s

vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
    rates {barrier_us = 1.02 : f64, slots = 4 : i64} source "measured on one H100 80GB HBM3"
vdevice.device @cpu kind "host" veus 8 threads 1 shared 0 registers 0 {note}

vdevice.program @main on @h100 inputs 1 names ["x", "y", "steps"] arena 4352 attributes {note} {
^bb0(%x: memref<4x8xf32>, %y: memref<4x8xf32>, %steps: index):
  %unplanned = vdevice.buffer : memref<4x8xf32, "words">
  %b = vdevice.buffer offset 4096 : memref<8x8xf32, "global">
  %w = vdevice.weight @filter : memref<4x256x16xf32, "weights">
  vdevice.launch veus 132 threads 256 service 128 ring 12 x 8192 scratch 49152 pinned 1024 registers 168 attributes {note} {
    %e = vdevice.event : !vdevice.event<8>
    %f = vdevice.event : !vdevice.event<1>
    %p = vdevice.pin %w box <(p) -> (0, p * 4, 0) by [4, 4, 16]> : memref<4x256x16xf32, "weights"> -> memref<4x4x16xf32, "pinned">
    vdevice.group [0, 106] attributes {note} {
      vdevice.for %t in %steps attributes {note} {
        vdevice.run @step tasks [0, 128] place affine_map<(i) -> (i mod 106)>
            ins(%x, %p : memref<4x8xf32>, memref<4x4x16xf32, "pinned">) outs(%b : memref<8x8xf32, "global">) at(%t)
            waits(%e affine_map<(o, h)[t] -> (o, 1, t)> : !vdevice.event<8>, %f affine_map<(o, h) -> (0, 1, 16)> : !vdevice.event<1>)
            signals(%e affine_map<(o, h) -> (o)> : !vdevice.event<8>) cost #rtask.cost<2.5 us from "analytic"> attributes {note}
        vdevice.barrier
      }
    }
    vdevice.run @last tasks [3, 5] place dense<[0, 7]> : tensor<2xi32> outs(%y : memref<4x8xf32>)
        waits(%e dense<[[0, 8, 128], [0, 0, 0]]> : tensor<2x3xi64> : !vdevice.event<8>)
  }
}

// A launch for each step, without arena and lengths.
vdevice.program @plain on @cpu inputs 0 names ["y"] elements {y = "uint32"} {
^bb0(%y: memref<4xi32>):
  %n = arith.constant 3 : index
  vdevice.for %t in %n {
    vdevice.launch veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
      vdevice.run @fill tasks [0, 1] place affine_map<(i) -> (0)> outs(%y : memref<4xi32>) at(%t)
    }
  }
}

// Launches that come after those they name.
vdevice.program @branches on @cpu inputs 0 names ["y"] {
^bb0(%y: memref<4xf32>):
  %a = vdevice.launch veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.barrier
  }
  %b = vdevice.launch after(%a) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token attributes {note} {
    vdevice.barrier
  }
  %c = vdevice.launch after(%a, %b) veus 3 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.barrier
  }
}

// CHECK:      vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536 rates {barrier_us = 1.020000e+00 : f64, slots = 4 : i64} source "measured on one H100 80GB HBM3"
// CHECK:      vdevice.device @cpu kind "host" veus 8 threads 1 shared 0 registers 0 {note}
// CHECK:      vdevice.program @main on @h100 inputs 1 names ["x", "y", "steps"] arena 4352 attributes {note} {
// CHECK-NEXT: ^bb{{[0-9]+}}(%x: memref<4x8xf32>, %y: memref<4x8xf32>, %steps: index):
// CHECK-NEXT:   %unplanned = vdevice.buffer : memref<4x8xf32, "words">
// CHECK-NEXT:   %b = vdevice.buffer offset 4096 : memref<8x8xf32, "global">
// CHECK-NEXT:   %w = vdevice.weight @filter : memref<4x256x16xf32, "weights">
// CHECK-NEXT:   vdevice.launch veus 132 threads 256 service 128 ring 12 x 8192 scratch 49152 pinned 1024 registers 168 attributes {note} {
// CHECK-NEXT:     %e = vdevice.event : !vdevice.event<8>
// CHECK-NEXT:     %f = vdevice.event : !vdevice.event<1>
// CHECK-NEXT:     %p = vdevice.pin %w box <(d0) -> (0, (d0 * 4), 0) by [4, 4, 16]> : memref<4x256x16xf32, "weights"> -> memref<4x4x16xf32, "pinned">
// CHECK-NEXT:     vdevice.group [0, 106] attributes {note} {
// CHECK-NEXT:       vdevice.for %t in %steps attributes {note} {
// CHECK-NEXT:         vdevice.run @step tasks [0, 128] place affine_map<(d0) -> ((d0 mod 106))> ins(%x, %p : memref<4x8xf32>, memref<4x4x16xf32, "pinned">) outs(%b : memref<8x8xf32, "global">) at(%t) waits(%e affine_map<(d0, d1)[s0] -> (d0, 1, s0)> : !vdevice.event<8>, %f affine_map<(d0, d1) -> (0, 1, 16)> : !vdevice.event<1>) signals(%e affine_map<(d0, d1) -> (d0)> : !vdevice.event<8>) cost #rtask.cost<2.5 us from "analytic"> attributes {note}
// CHECK-NEXT:         vdevice.barrier
// CHECK-NEXT:       }
// CHECK-NEXT:     }
// CHECK-NEXT:     vdevice.run @last tasks [3, 5] place dense<[0, 7]> : tensor<2xi32> outs(%y : memref<4x8xf32>) waits(%e dense<[[0, 8, 128], [0, 0, 0]]> : tensor<2x3xi64> : !vdevice.event<8>)
// CHECK-NEXT:   }
// CHECK-NEXT: }
// CHECK:      vdevice.program @plain on @cpu inputs 0 names ["y"] elements {y = "uint32"} {
// CHECK-NEXT: ^bb{{[0-9]+}}(%y: memref<4xi32>):
// CHECK-NEXT:   %n = arith.constant 3 : index
// CHECK-NEXT:   vdevice.for %t in %n {
// CHECK-NEXT:     vdevice.launch veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
// CHECK-NEXT:       vdevice.run @fill tasks [0, 1] place affine_map<(d0) -> (0)> outs(%y : memref<4xi32>) at(%t)
// CHECK-NEXT:     }
// CHECK-NEXT:   }
// CHECK-NEXT: }

// CHECK:      vdevice.program @branches on @cpu inputs 0 names ["y"] {
// CHECK:        %a = vdevice.launch veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
// CHECK:        %b = vdevice.launch after(%a) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token attributes {note} {
// CHECK:        %c = vdevice.launch after(%a, %b) veus 3 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
