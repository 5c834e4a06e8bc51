// RUN: rammer-opt %s -p schedule-wavefront --split-input-file --verify-diagnostics | filecheck %s

// Two writers of disjoint boxes of one tensor do not depend on each other, but on what they read. In a wave the tasks of
// one dispatch go where those of the others are not.
// CHECK-LABEL: func.func @main
// CHECK:       rtask.dispatch @upper {{.*}} wave 0 place affine_map<(d0) -> (d0)>
// CHECK:       rtask.dispatch @sum {{.*}} wave 0 place affine_map<(d0) -> (d0)>
// CHECK:       rtask.dispatch @lower {{.*}} wave 1 place affine_map<(d0) -> (d0)>
// CHECK:       rtask.dispatch @both {{.*}} wave 2 place affine_map<(d0) -> (d0)>
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

// Six tasks of 2 us and three of 1 us on 4 vEUs: the dear ones first, then the others where least is to do.
// CHECK-LABEL: func.func @main
// CHECK:       rtask.dispatch @cheap {{.*}} wave 0 place affine_map<(d0) -> ((d0 + 1))>
// CHECK:       rtask.dispatch @dear {{.*}} wave 0 place affine_map<(d0) -> ((d0 mod 4))>
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @cheap grid [3] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<24xf32>, %y: tensor<24xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<24xf32>) into(%y : tensor<24xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<24xf32>
  rtask.yield %r : tensor<24xf32>
}
rtask.kernel @dear grid [6] reads [#rtask.box<(i) -> (i * 4) by [4]>] writes [#rtask.box<(i) -> (i * 4) by [4]>] {
^bb0(%i: index, %x: tensor<24xf32>, %y: tensor<24xf32>):
  %r = rop.generic bounds [4] maps [affine_map<(d)[i] -> (i * 4 + d)>, affine_map<(d)[i] -> (i * 4 + d)>]
      ins(%x : tensor<24xf32>) into(%y : tensor<24xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<24xf32>
  rtask.yield %r : tensor<24xf32>
}
func.func @main(%x: tensor<24xf32>) -> (tensor<24xf32>, tensor<24xf32>) {
  %e = tensor.empty() : tensor<24xf32>
  %0 = rtask.dispatch @cheap ins(%x : tensor<24xf32>) into(%e : tensor<24xf32>) cost #rtask.cost<1.0 us from "analytic"> -> tensor<24xf32>
  %f = tensor.empty() : tensor<24xf32>
  %1 = rtask.dispatch @dear ins(%x : tensor<24xf32>) into(%f : tensor<24xf32>) cost #rtask.cost<2.0 us from "analytic"> -> tensor<24xf32>
  func.return %0, %1 : tensor<24xf32>, tensor<24xf32>
}

// -----

// A scan is one node; its body has waves of its own.
// CHECK-LABEL: func.func @main
// CHECK:       rtask.dispatch @init {{.*}} wave 0
// CHECK:       rop.scan
// CHECK-SAME:  attributes {wave = 1 : i64}
// CHECK:       rtask.dispatch @step {{.*}} wave 0
// CHECK:       rtask.dispatch @last {{.*}} wave 2
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

// CHECK: pass schedule-wavefront: the module has no func.func @main
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
