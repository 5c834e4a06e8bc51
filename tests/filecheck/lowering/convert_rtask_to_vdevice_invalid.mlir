// RUN: rammer-opt %s -p convert-rtask-to-vdevice --split-input-file --verify-diagnostics | filecheck %s

// CHECK: pass convert-rtask-to-vdevice: output 0 is no tensor of its own: it needs a copy
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  func.return %x : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: output 1 is another output: it needs a copy
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>, tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  func.return %y, %y : tensor<32xf32>, tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: a dispatch writes over what is not its own: it needs a copy
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%x : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  %z = rtask.dispatch @exp ins(%y : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  func.return %z : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: a tensor is read after {{.*}} has written over it in place: it needs a copy
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %f = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  %z = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  %u = rtask.dispatch @exp ins(%y : tensor<32xf32>) into(%f : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  func.return %u : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: a dispatch has no place: run schedule-wavefront
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 -> tensor<32xf32>
  func.return %y : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: rtask.dispatch has no wave: run schedule-wavefront
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) -> tensor<32xf32>
  func.return %y : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: test.op has no form in a program
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  "test.op"() : () -> ()
  %e = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  func.return %y : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: a scan has state of its own: run materialize-scan-state
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %n = arith.constant 4 : index
  %e = tensor.empty() : tensor<32xf32>
  %h = rop.scan %n carried(%e : tensor<32xf32>) attributes {wave = 0 : i64} {
  ^bb0(%t: index, %s: tensor<32xf32>):
    %f = tensor.empty() : tensor<32xf32>
    rop.yield %f : tensor<32xf32>
  } -> tensor<32xf32>
  func.return %h : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: a scan in reverse needs a known length: steps of a program count up
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %n = arith.constant 4 : index
  %e = tensor.empty() : tensor<32xf32>
  %h = rop.scan %n reverse carried(%e : tensor<32xf32>) attributes {wave = 0 : i64} {
  ^bb0(%t: index, %s: tensor<32xf32>):
    rop.yield %s : tensor<32xf32>
  } -> tensor<32xf32>
  func.return %h : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: @exp runs on 8 threads and @log on 4: a launch has one number of threads
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
} implementation @a []
rtask.kernel @log grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
} implementation @b []
block.body @a threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  block.yield
}
block.body @b threads 4 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  block.yield
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %f = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  %z = rtask.dispatch @log ins(%y : tensor<32xf32>) into(%f : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  func.return %z : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: @log is implemented by @b, which is no body
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
} implementation @a []
rtask.kernel @log grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
} implementation @b []
block.body @a threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  block.yield
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %f = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  %z = rtask.dispatch @log ins(%y : tensor<32xf32>) into(%f : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  func.return %z : tensor<32xf32>
}

// -----

// CHECK: pass convert-rtask-to-vdevice: @exp needs 80000 bytes of scratch memory and a ring of 2 slots of 0, @d has 65536 bytes of shared memory
vdevice.device @d kind "host" veus 4 threads 8 shared 65536 registers 0 rates {multiply_adds_per_us = 1000.0 : f64, arithmetic_efficiency = 0.5 : f64, tensor_multiply_adds_per_us = 4000.0 : f64,
  cache_bytes_per_us = 100.0 : f64, memory_bytes_per_us = 40.0 : f64, memory_bytes_per_us_of_veu = 20.0 : f64, task_us = 0.5 : f64,
  barrier_us = 1.0 : f64, launch_us = 2.0 : f64, handover_us = 0.5 : f64}
rtask.kernel @exp grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
} implementation @a []
rtask.kernel @log grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : tensor<32xf32>) into(%y : tensor<32xf32>) at(%i) {
  ^bb1(%a: f32):
    %e = math.exp %a : f32
    rop.yield %e : f32
  } -> tensor<32xf32>
  rtask.yield %r : tensor<32xf32>
} implementation @b []
block.body @a threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  %m = memref.alloca() : memref<20000xf32, "shared">
  block.yield
}
block.body @b threads 8 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">):
  block.yield
}
func.func @main(%x: tensor<32xf32>) -> (tensor<32xf32>) {
  %e = tensor.empty() : tensor<32xf32>
  %f = tensor.empty() : tensor<32xf32>
  %y = rtask.dispatch @exp ins(%x : tensor<32xf32>) into(%e : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  %z = rtask.dispatch @log ins(%y : tensor<32xf32>) into(%f : tensor<32xf32>) wave 0 place affine_map<(i) -> (i)> -> tensor<32xf32>
  func.return %z : tensor<32xf32>
}
