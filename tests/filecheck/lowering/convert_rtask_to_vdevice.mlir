// RUN: rammer-opt %s -p schedule-wavefront,convert-rtask-to-vdevice --split-input-file --verify-diagnostics | filecheck %s
// RUN: rammer-opt %s -p schedule-wavefront,convert-rtask-to-vdevice,insert-barriers,plan-memory,verify-program --split-input-file --verify-diagnostics | filecheck %s --check-prefix=PROVED
// RUN: rammer-opt %s -p schedule-wavefront,convert-rtask-to-vdevice,split-launches,plan-memory,verify-program --split-input-file --verify-diagnostics | filecheck %s --check-prefix=PROVED

// Runs stand in the order of waves. A chain of destinations is one buffer; what the function returns is an output.
// CHECK-LABEL: vdevice.program @main on @d inputs 1 names ["arg0", "res0"] {
// CHECK-NEXT:  ^{{.*}}(%x: memref<32xf32>, %[[out:.*]]: memref<64xf32>):
// CHECK-DAG:   %[[s:.*]] = vdevice.buffer : memref<32xf32, "global">
// CHECK-DAG:   %[[e:.*]] = vdevice.buffer : memref<8x8xf32, "global">
// CHECK:       vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
// CHECK-NEXT:  vdevice.run @upper tasks [0, 4] place affine_map<(d0) -> (d0)> ins(%x : memref<32xf32>) outs(%[[e]] : memref<8x8xf32, "global">)
// CHECK-NEXT:  vdevice.run @sum tasks [0, 4] place affine_map<(d0) -> (d0)> ins(%x : memref<32xf32>) outs(%[[s]] : memref<32xf32, "global">)
// CHECK-NEXT:  vdevice.run @lower tasks [0, 4] place affine_map<(d0) -> (d0)> ins(%[[s]] : memref<32xf32, "global">) outs(%[[e]] : memref<8x8xf32, "global">)
// CHECK-NEXT:  vdevice.run @both tasks [0, 2] place affine_map<(d0) -> (d0)> ins(%[[e]] : memref<8x8xf32, "global">) outs(%[[out]] : memref<64xf32>)
// CHECK-NOT:   func.func
// PROVED:      vdevice.program @main on @d inputs 1 names ["arg0", "res0"] arena
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @upper grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i + 0, 0) by [1, 8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<8x8xf32>):
  rtask.yield %y : tensor<8x8xf32>
}
rtask.kernel @lower grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i + 4, 0) by [1, 8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<8x8xf32>):
  rtask.yield %y : tensor<8x8xf32>
}
rtask.kernel @sum grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
rtask.kernel @both grid [2] reads [#rtask.box<(i) -> (i * 4, 0) by [4, 8]>] writes [#rtask.box<(i) -> (i * 32) by [32]>] {
^bb0(%i: index, %x: tensor<8x8xf32>, %y: tensor<64xf32>):
  rtask.yield %y : tensor<64xf32>
}
func.func @main(%x: tensor<32xf32>) -> tensor<64xf32> {
  %e = tensor.empty() : tensor<8x8xf32>
  %0 = rtask.dispatch @upper ins(%x : tensor<32xf32>) into(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %s = tensor.empty() : tensor<32xf32>
  %1 = rtask.dispatch @sum ins(%x : tensor<32xf32>) into(%s : tensor<32xf32>) -> tensor<32xf32>
  %2 = rtask.dispatch @lower ins(%1 : tensor<32xf32>) into(%0 : tensor<8x8xf32>) -> tensor<8x8xf32>
  %f = tensor.empty() : tensor<64xf32>
  %3 = rtask.dispatch @both ins(%2 : tensor<8x8xf32>) into(%f : tensor<64xf32>) -> tensor<64xf32>
  func.return %3 : tensor<64xf32>
}

// -----

// A scan is a loop whose carried tensors are written in place; the launch takes what the bodies need.
// CHECK-LABEL: vdevice.program @main on @d inputs 1 names ["start", "end", "steps"] {
// CHECK-NEXT:  ^{{.*}}(%x: memref<16xf32>, %{{.*}}: memref<16xf32>, %n: index):
// CHECK-NEXT:  %[[h:.*]] = vdevice.buffer : memref<9x16xf32, "global">
// CHECK-NEXT:  vdevice.launch
// CHECK-NEXT:  vdevice.run @init
// CHECK-NEXT:  vdevice.for %t in %n {
// CHECK-NEXT:  vdevice.run @step tasks [0, 2] place affine_map<(d0) -> (d0)> ins(%[[h]] : memref<9x16xf32, "global">) outs(%[[h]] : memref<9x16xf32, "global">) at(%t)
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.run @last
// PROVED:      vdevice.program @main on @d inputs 1 names ["start", "end", "steps"] arena
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(i)[t] -> (t, 0) by [1, 16]>] writes [#rtask.box<(i)[t] -> (t + 1, i * 8) by [1, 8]>] {
^bb0(%i: index, %t: index, %x: tensor<9x16xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
rtask.kernel @init grid [1] reads [#rtask.box<(i) -> (0) by [16]>] writes [#rtask.box<(i) -> (0, 0) by [1, 16]>] {
^bb0(%i: index, %x: tensor<16xf32>, %y: tensor<9x16xf32>):
  rtask.yield %y : tensor<9x16xf32>
}
rtask.kernel @last grid [1] reads [#rtask.box<(i) -> (8, 0) by [1, 16]>] writes [#rtask.box<(i) -> (0) by [16]>] {
^bb0(%i: index, %x: tensor<9x16xf32>, %y: tensor<16xf32>):
  rtask.yield %y : tensor<16xf32>
}
func.func @main(%x: tensor<16xf32> {rop.name = "start"}, %n: index {rop.name = "steps"}) -> (tensor<16xf32> {rop.name = "end"}) {
  %e = tensor.empty() : tensor<9x16xf32>
  %h0 = rtask.dispatch @init ins(%x : tensor<16xf32>) into(%e : tensor<9x16xf32>) -> tensor<9x16xf32>
  %h = rop.scan %n carried(%h0 : tensor<9x16xf32>) {
  ^bb0(%t: index, %state: tensor<9x16xf32>):
    %next = rtask.dispatch @step ins(%state : tensor<9x16xf32>) into(%state : tensor<9x16xf32>) at(%t) -> tensor<9x16xf32>
    rop.yield %next : tensor<9x16xf32>
  } -> tensor<9x16xf32>
  %f = tensor.empty() : tensor<16xf32>
  %y = rtask.dispatch @last ins(%h : tensor<9x16xf32>) into(%f : tensor<16xf32>) -> tensor<16xf32>
  func.return %y : tensor<16xf32>
}

// -----

// CHECK-LABEL: vdevice.program @main
// CHECK:       %[[w:.*]] = vdevice.weight @w : memref<32x32xf32, "weights">
// CHECK-NEXT:  vdevice.launch veus 132 threads 256 service 128 ring 16 x 4096 scratch 1024 pinned 0 registers 168 {
// CHECK-NEXT:  vdevice.run @gemv {{.*}} ins(%x, %[[w]] : memref<32xf32>, memref<32x32xf32, "weights">)
// PROVED:      vdevice.launch veus 132 threads 256
vdevice.device @d kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
rtask.kernel @gemv grid [4] reads [#rtask.box<(i) -> (0) by [32]>, #rtask.box<(i) -> (i * 8, 0) by [8, 32]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %w: tensor<32x32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8, 32] maps [affine_map<(n, k)[i] -> (k)>, affine_map<(n, k)[i] -> (i * 8 + n, k)>, affine_map<(n, k)[i] -> (i * 8 + n)>]
      reduce [add] ins(%x, %w : tensor<32xf32>, tensor<32x32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32, %b: f32):
    %m = arith.mulf %a, %b : f32
    rop.yield %m : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
} implementation @gemv_body []
rop.weight @w : tensor<32x32xf32> hash "00"
block.body @gemv_body threads 256 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">):
  %s = memref.alloca() : memref<256xf32, "shared">
  block.yield
} service {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">):
  block.ring_push 1024 %w[%task] : memref<?xf32, "weights">
  block.yield
}
func.func @main(%x: tensor<32xf32>) -> tensor<32xf32> {
  %w = rop.get_weight @w : tensor<32x32xf32>
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @gemv ins(%x, %w : tensor<32xf32>, tensor<32x32xf32>) into(%e : tensor<32xf32>) -> tensor<32xf32>
  func.return %y : tensor<32xf32>
}
