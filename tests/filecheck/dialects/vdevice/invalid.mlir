// RUN: RAMMER_INVALID

// CHECK: an event has at least one counter, got 0
%e = "test.op"() : () -> !vdevice.event<0>

// -----

// CHECK: the kind of a device is "cuda" or "host", not "rocm"
vdevice.device @d kind "rocm" veus 1 threads 1 shared 0 registers 0

// -----

// CHECK: a device has at least one vEU of at least one thread
vdevice.device @d kind "cuda" veus 0 threads 1 shared 0 registers 0

// -----

// CHECK: a device has at least one vEU of at least one thread
vdevice.device @d kind "cuda" veus 1 threads 0 shared 0 registers 0

// -----

// CHECK: what a device offers must not be negative
vdevice.device @d kind "cuda" veus 1 threads 1 shared -1 registers 0

// -----

// CHECK: what a device offers must not be negative
vdevice.device @d kind "cuda" veus 1 threads 1 shared 0 registers -1

// -----

// CHECK: rate speed of a device must be a number, not "fast"
vdevice.device @d kind "cuda" veus 1 threads 1 shared 0 registers 0 rates {speed = "fast"}

// -----

// CHECK: elements names the type of 'z' as "uint8": it needs a tensor and a text
vdevice.program @p on @d inputs 1 names ["x", "y"] elements {z = "uint8"} {
^bb0(%x: memref<4xi8>, %y: memref<4xi8>):
}

// -----

// CHECK: elements names the type of 'x' as i8: it needs a tensor and a text
vdevice.program @p on @d inputs 1 names ["x", "y"] elements {x = i8} {
^bb0(%x: memref<4xi8>, %y: memref<4xi8>):
}

// -----

// CHECK: a program needs a different name for each of its 2 arguments
vdevice.program @p on @d inputs 1 names ["x"] {
^bb0(%x: memref<4xf32>, %y: memref<4xf32>):
}

// -----

// CHECK: a program needs a different name for each of its 2 arguments
vdevice.program @p on @d inputs 1 names ["x", "x"] {
^bb0(%x: memref<4xf32>, %y: memref<4xf32>):
}

// -----

// CHECK: 3 inputs, but 2 tensors
vdevice.program @p on @d inputs 3 names ["x", "y"] {
^bb0(%x: memref<4xf32>, %y: memref<4xf32>):
}

// -----

// CHECK: -1 inputs, but 2 tensors
vdevice.program @p on @d inputs -1 names ["x", "y"] {
^bb0(%x: memref<4xf32>, %y: memref<4xf32>):
}

// -----

// CHECK: a program takes memrefs, then lengths of type index
vdevice.program @p on @d inputs 1 names ["x", "y"] {
^bb0(%n: index, %y: memref<4xf32>):
}

// -----

// CHECK: a program takes memrefs, then lengths of type index
vdevice.program @p on @d inputs 1 names ["x", "y"] {
^bb0(%x: memref<4xf32>, %n: i32):
}

// -----

// CHECK: the size of an arena must not be negative, got -8
vdevice.program @p on @d inputs 1 names ["x", "y"] arena -8 {
^bb0(%x: memref<4xf32>, %y: memref<4xf32>):
}

// -----

// CHECK: a buffer's offset must not be negative, got -4
%b = vdevice.buffer offset -4 : memref<4xf32, "global">

// -----

// CHECK: a buffer lies in memory space global or words, not
%b = vdevice.buffer : memref<4xf32>

// -----

// CHECK: a buffer lies in memory space global or words, not
%b = vdevice.buffer : memref<4xf32, "weights">

// -----

// CHECK: a buffer lies in memory space global or words, not
%b = vdevice.buffer : memref<4xf32, 3 : i64>

// -----

// CHECK: a buffer has a static shape, not that of memref<?xf32, "global">
%b = vdevice.buffer : memref<?xf32, "global">

// -----

// CHECK: a weight lies in memory space weights, not
%w = vdevice.weight @w : memref<4xf32, "global">

// -----

// CHECK: a weight has a static shape, not that of memref<?xf32, "weights">
%w = vdevice.weight @w : memref<?xf32, "weights">

// -----

// CHECK: a launch has at least one vEU of at least one thread
vdevice.launch veus 0 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: a launch has at least one vEU of at least one thread
vdevice.launch veus 4 threads 0 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: the budget of a launch must not be negative
vdevice.launch veus 4 threads 32 service -1 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: the budget of a launch must not be negative
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch -1 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: the budget of a launch must not be negative
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned -1 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: the budget of a launch must not be negative
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers -1 {
  "test.op"() : () -> ()
}

// -----

// CHECK: the budget of a launch must not be negative
vdevice.launch veus 4 threads 32 service 0 ring -1 x 8 scratch 0 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: the budget of a launch must not be negative
vdevice.launch veus 4 threads 32 service 0 ring 1 x -8 scratch 0 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: a ring of 4 slots of 0 bytes holds nothing
vdevice.launch veus 4 threads 32 service 0 ring 4 x 0 scratch 0 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: a ring of 0 slots of 8 bytes holds nothing
vdevice.launch veus 4 threads 32 service 0 ring 0 x 8 scratch 0 pinned 0 registers 0 {
  "test.op"() : () -> ()
}

// -----

// CHECK: vdevice.launch stands inside a launch
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: vdevice.buffer stands inside a launch
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.group [0, 1] {
    %b = vdevice.buffer : memref<4xf32, "global">
  }
}

// -----

// CHECK: vdevice.weight stands inside a launch
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %w = vdevice.weight @w : memref<4xf32, "weights">
}

// -----

// CHECK: vdevice.program stands inside a launch
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.program @p on @d inputs 0 names [] {
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: 'vdevice.group' expects parent op 'vdevice.launch'
vdevice.group [0, 1] {
  "test.op"() : () -> ()
}

// -----

// CHECK: a group is a range {{\[}}first, last) of vEUs
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.group [0, 1, 2] {
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: a group is a range {{\[}}first, last) of vEUs
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.group [1, 1] {
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: a group is a range {{\[}}first, last) of vEUs
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.group [-1, 1] {
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: group {{\[}}0, 5{{\]}} of a launch of 4 vEUs
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.group [0, 5] {
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: vdevice.for has one index
%n = "test.op"() : () -> index
"vdevice.for"(%n) ({
^bb0(%t: i32):
  "test.op"() : () -> ()
}) : (index) -> ()

// -----

// CHECK: periodic parts do not nest
%n = "test.op"() : () -> index
vdevice.for %t in %n {
  vdevice.for %u in %n {
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: 'vdevice.event' expects parent op 'vdevice.launch'
%e = vdevice.event : !vdevice.event<8>

// -----

// CHECK: vdevice.barrier stands outside a launch
vdevice.barrier

// -----

// CHECK: vdevice.pin stands outside a launch
%w = "test.op"() : () -> memref<8x4xf32, "weights">
%p = vdevice.pin %w box <(p) -> (p, 0) by [1, 4]> : memref<8x4xf32, "weights"> -> memref<1x4xf32, "pinned">

// -----

// CHECK: what is pinned lies in memory space weights, not
%w = "test.op"() : () -> memref<8x4xf32, "global">
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %p = vdevice.pin %w box <(p) -> (p, 0) by [1, 4]> : memref<8x4xf32, "global"> -> memref<1x4xf32, "pinned">
}

// -----

// CHECK: a pinned weight lies in memory space pinned, not
%w = "test.op"() : () -> memref<8x4xf32, "weights">
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %p = vdevice.pin %w box <(p) -> (p, 0) by [1, 4]> : memref<8x4xf32, "weights"> -> memref<1x4xf32, "shared">
}

// -----

// CHECK: the box of a pin maps the vEU's number to an origin in memref<8x4xf32, "weights">
%w = "test.op"() : () -> memref<8x4xf32, "weights">
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %p = vdevice.pin %w box <(p, q) -> (p, 0) by [1, 4]> : memref<8x4xf32, "weights"> -> memref<1x4xf32, "pinned">
}

// -----

// CHECK: the box of a pin maps the vEU's number to an origin in memref<8x4xf32, "weights">
%w = "test.op"() : () -> memref<8x4xf32, "weights">
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %p = vdevice.pin %w box <(p)[s] -> (p, 0) by [1, 4]> : memref<8x4xf32, "weights"> -> memref<1x4xf32, "pinned">
}

// -----

// CHECK: the box of a pin maps the vEU's number to an origin in memref<8x4xf32, "weights">
%w = "test.op"() : () -> memref<8x4xf32, "weights">
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %p = vdevice.pin %w box <(p) -> (p) by [1]> : memref<8x4xf32, "weights"> -> memref<1x4xf32, "pinned">
}

// -----

// CHECK: a pin of {{\[}}1, 4{{\]}} elements does not give memref<2x4xf32, "pinned">
%w = "test.op"() : () -> memref<8x4xf32, "weights">
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %p = vdevice.pin %w box <(p) -> (p, 0) by [1, 4]> : memref<8x4xf32, "weights"> -> memref<2x4xf32, "pinned">
}

// -----

// CHECK: a pin of {{\[}}1, 4{{\]}} elements does not give memref<1x4xi32, "pinned">
%w = "test.op"() : () -> memref<8x4xf32, "weights">
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %p = vdevice.pin %w box <(p) -> (p, 0) by [1, 4]> : memref<8x4xf32, "weights"> -> memref<1x4xi32, "pinned">
}

// -----

// CHECK: vdevice.run stands outside a launch
vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i)>

// -----

// CHECK: a range has two ends, {{\[}}first, last{{\]}}
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [4] place affine_map<(i) -> (i)>
}

// -----

// CHECK: the tasks of a run are a range {{\[}}first, last)
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [4, 4] place affine_map<(i) -> (i)>
}

// -----

// CHECK: the tasks of a run are a range {{\[}}first, last)
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [-1, 4] place affine_map<(i) -> (i)>
}

// -----

// CHECK: the tasks of a run are a range {{\[}}first, last)
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  "vdevice.run"() <{kernel = @k, tasks = array<i64: 1>, place = affine_map<(i) -> (i)>, wait_maps = [], signal_maps = [], operandSegmentSizes = array<i32: 0, 0, 0, 0, 0>}> : () -> ()
}

// -----

// CHECK: a placement maps the linear task index to one vEU
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [0, 4] place affine_map<(i, j) -> (i)>
}

// -----

// CHECK: a placement maps the linear task index to one vEU
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [0, 4] place affine_map<(i)[s] -> (i)>
}

// -----

// CHECK: a placement maps the linear task index to one vEU
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i, i)>
}

// -----

// CHECK: a placement table of 3 for 4 tasks
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [0, 4] place dense<[0, 1, 2]> : tensor<3xi32>
}

// -----

// CHECK: a run takes at most one loop index
%n = "test.op"() : () -> index
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i)> at(%n, %n)
}

// -----

// CHECK: every wait and every signal of a run needs a map
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %e = vdevice.event : !vdevice.event<8>
  "vdevice.run"(%e) <{kernel = @k, tasks = array<i64: 0, 1>, place = affine_map<(i) -> (i)>, wait_maps = [], signal_maps = [], operandSegmentSizes = array<i32: 0, 0, 0, 1, 0>}> : (!vdevice.event<8>) -> ()
}

// -----

// CHECK: every wait and every signal of a run needs a map
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %e = vdevice.event : !vdevice.event<8>
  "vdevice.run"(%e) <{kernel = @k, tasks = array<i64: 0, 1>, place = affine_map<(i) -> (i)>, wait_maps = [], signal_maps = [], operandSegmentSizes = array<i32: 0, 0, 0, 0, 1>}> : (!vdevice.event<8>) -> ()
}

// -----

// CHECK: the map of a wait has 3 results, and the loop index as symbol
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %e = vdevice.event : !vdevice.event<8>
  vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i)> waits(%e affine_map<(i) -> (i)> : !vdevice.event<8>)
}

// -----

// CHECK: the map of a wait has 3 results, and the loop index as symbol
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %e = vdevice.event : !vdevice.event<8>
  vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i)> waits(%e affine_map<(i)[t] -> (i, 1, t)> : !vdevice.event<8>)
}

// -----

// CHECK: the table of a wait has 3 columns and a row for each of 4 tasks, not the shape [2, 3]
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %e = vdevice.event : !vdevice.event<8>
  vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i)> waits(%e dense<[[0, 1, 1], [1, 1, 1]]> : tensor<2x3xi64> : !vdevice.event<8>)
}

// -----

// CHECK: the map of a signal has 1 results, and the loop index as symbol
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %e = vdevice.event : !vdevice.event<8>
  vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i)> signals(%e affine_map<(i) -> (i, 1, 1)> : !vdevice.event<8>)
}

// -----

// CHECK: the map of a signal has 1 results, and the loop index as symbol
vdevice.launch veus 4 threads 32 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
  %e = vdevice.event : !vdevice.event<8>
  vdevice.run @k tasks [0, 4] place affine_map<(i) -> (i)> signals(%e affine_map<(i)[t] -> (t)> : !vdevice.event<8>)
}

// -----

// CHECK: a launch that names the launches before it gives a token
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
vdevice.program @main on @d inputs 0 names ["y"] {
^bb0(%y: memref<4xf32>):
  %a = vdevice.launch veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.barrier
  }
  vdevice.launch after(%a) veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.barrier
  }
}

// -----

// CHECK: a launch in a loop comes after all before it: it gives no token
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
vdevice.program @main on @d inputs 0 names ["y", "n"] {
^bb0(%y: memref<4xf32>, %n: index):
  vdevice.for %t in %n {
    %a = vdevice.launch veus 1 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
      vdevice.barrier
    }
  }
}
