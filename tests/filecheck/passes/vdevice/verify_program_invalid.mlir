// RUN: rammer-opt %s -p verify-program --split-input-file --verify-diagnostics | filecheck %s

// Nothing orders the two runs.
// CHECK: RAW race on buffer %b: @copy[1] (vEU 1, {{.*}}) writes it, @blur[0] (vEU 0, {{.*}}) reads it, and nothing orders them
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A barrier of half of the vEUs is none.
// CHECK: RAW race on buffer %b
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.group [0, 1] {
      vdevice.barrier
    }
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A wait on what is signalled later.
// CHECK: deadlock: @blur[0] (vEU 0, {{.*}}) waits for 1 signals of counter 0 of event %e, which has 0 before it in text order, 4 after it
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    %e = vdevice.event : !vdevice.event<1>
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">) waits(%e affine_map<(i) -> (0, 1, 1)> : !vdevice.event<1>)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%y : memref<32xf32>) signals(%e affine_map<(i) -> (0)> : !vdevice.event<1>)
  }
}

// -----

// A counter that has too few signals.
// CHECK: deadlock: @blur[0] (vEU 0, {{.*}}) waits for 5 signals of counter 0 of event %e, which has 4 before it in text order
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    %e = vdevice.event : !vdevice.event<1>
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">) signals(%e affine_map<(i) -> (0)> : !vdevice.event<1>)
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>) waits(%e affine_map<(i) -> (0, 1, 5)> : !vdevice.event<1>)
  }
}

// -----

// A counter is used again before its signals are over.
// CHECK: @blur[0] (vEU 0, {{.*}}) may signal counter 0 of event %e before the 4 signals that a wait means have come
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 512 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  %c = vdevice.buffer offset 256 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    %e = vdevice.event : !vdevice.event<1>
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">) signals(%e affine_map<(i) -> (0)> : !vdevice.event<1>)
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%c : memref<32xf32, "global">) signals(%e affine_map<(i) -> (0)> : !vdevice.event<1>)
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>) waits(%e affine_map<(i) -> (0, 1, 4)> : !vdevice.event<1>)
  }
}

// -----

// A vEU that the launch does not have.
// CHECK: @copy[2] is placed on vEU 2 of 2
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// More vEUs than the device has.
// CHECK: a launch of 3 vEUs on @d, which has 2
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 3 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// More threads.
// CHECK: a launch of 2 threads on @d, which has 1
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 1 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// More shared memory.
// CHECK: a launch of 65552 bytes of shared memory on @d, which has 65536
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 2 x 8 scratch 65536 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A task that does not run.
// CHECK: @blur[3] runs 0 times, other tasks 1 times
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 3] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A task that a kernel does not have.
// CHECK: tasks [0, 5) of @blur, which has 4
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 5] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// Buffers share bytes while both are in use.
// CHECK: buffer %b and buffer %c share bytes while both are in use
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  %c = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%c : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// Buffers share bytes one after the other, but nothing orders the tasks: a WAR hazard.
// CHECK: WAR race on the bytes of buffer %b and buffer %c
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y", "z"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>, %z: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  %c = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%c : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<32xf32, "global">) outs(%z : memref<32xf32>)
  }
}

// -----

// A buffer out of the arena.
// CHECK: buffers take 384 bytes of an arena of 256
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 256 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// Memory is not planned.
// CHECK: buffer %b has no offset: run plan-memory
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// A read of what nothing wrote.
// CHECK: @blur reads buffer %b, which nothing before it writes
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// An input is written.
// CHECK: @copy writes argument 'x'
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%x : memref<32xf32>)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%y : memref<32xf32>)
  }
}

// -----

// An output is not written.
// CHECK: nothing writes the output argument 'y'
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
  }
}

// -----

// Another shape.
// CHECK: @copy takes tensor<32xf32>, not memref<16xf32, "global">
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<16xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<16xf32, "global">)
  }
}

// -----

// A word is written twice.
// CHECK: @copy[0] (vEU 0, {{.*}}) and @copy[0] (vEU 0, {{.*}}) write the same words of buffer %w: a word is written once a launch
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %w = vdevice.buffer offset 0 : memref<32xf32, "words">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%w : memref<32xf32, "words">)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%w : memref<32xf32, "words">)
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%w : memref<32xf32, "words">) outs(%y : memref<32xf32>)
  }
}

// -----

// Words that are not written.
// CHECK: deadlock: @blur[1] (vEU 1, {{.*}}) reads 1 words of buffer %w that nothing before it in text order writes
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %w = vdevice.buffer offset 0 : memref<32xf32, "words">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 2] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%w : memref<32xf32, "words">)
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%w : memref<32xf32, "words">) outs(%y : memref<32xf32>)
    vdevice.run @copy tasks [2, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%w : memref<32xf32, "words">)
  }
}

// -----

// Nothing orders the two launches.
// CHECK: race on buffer %b: nothing orders the launch of @copy and that of @blur
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  %0 = vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
  }
  %1 = vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// In the order of the text the first buffer is over when the third is written; but nothing orders those launches.
// CHECK: buffer %b and buffer %d share bytes while both are in use
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y", "z"] arena 512 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>, %z: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  %d = vdevice.buffer offset 0 : memref<32xf32, "global">
  %0 = vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
  }
  %1 = vdevice.launch after(%0) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
  %2 = vdevice.launch after(%0) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%d : memref<32xf32, "global">)
  }
  %3 = vdevice.launch after(%2) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%d : memref<32xf32, "global">) outs(%z : memref<32xf32>)
  }
}

// -----

// CHECK: a launch comes after one that does not stand before it
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %0 = vdevice.launch after(%0) veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 -> !vdevice.token {
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%y : memref<32xf32>)
  }
}

// -----

// A part of what is read is not written by anything before it.
// CHECK: @blur[2] (vEU 0, {{.*}}) reads buffer %b, of which nothing before it writes 1 elements
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [3] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 1 names ["x", "y"] arena 256 {
^bb0(%x: memref<32xf32>, %y: memref<32xf32>):
  %b = vdevice.buffer offset 0 : memref<32xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 3] place affine_map<(i) -> (i mod 2)> ins(%x : memref<32xf32>) outs(%b : memref<32xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<32xf32, "global">) outs(%y : memref<32xf32>)
  }
}

// -----

// More is pinned than a task wants: bodies find a box only at the beginning of what is pinned.
// CHECK: @take[0] (vEU 0, {{.*}}) reads what is not pinned on its vEU
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rop.weight @w : tensor<32xf32> hash "0"
rtask.kernel @take grid [2] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: tensor<32xf32>, %y: tensor<32xf32>):
  rtask.yield %y : tensor<32xf32>
}
vdevice.program @main on @d inputs 0 names ["y"] arena 0 {
^bb0(%y: memref<32xf32>):
  %w = vdevice.weight @w : memref<32xf32, "weights">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 64 registers 0 {
    %p = vdevice.pin %w box <(p) -> (0) by [16]> : memref<32xf32, "weights"> -> memref<16xf32, "pinned">
    vdevice.run @take tasks [0, 2] place affine_map<(i) -> (i)> ins(%p : memref<16xf32, "pinned">) outs(%y : memref<32xf32>)
  }
}
