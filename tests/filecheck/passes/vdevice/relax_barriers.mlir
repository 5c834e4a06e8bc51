// RUN: rammer-opt %s -p relax-barriers --split-input-file | filecheck %s
// RUN: rammer-opt %s -p relax-barriers,verify-program --split-input-file | filecheck %s

// Tasks of the blur wait for tasks of the other vEU beside theirs, the last one for nothing: its vEU has waited for them.
// The last run waits for nothing: its vEUs have it all.
// CHECK-LABEL: vdevice.program @chain
// CHECK:       %copy_done = vdevice.event : !vdevice.event<4>
// CHECK-NEXT:  vdevice.run @copy {{.*}} signals(%copy_done affine_map<(d0) -> (d0)> : !vdevice.event<4>)
// CHECK-NEXT:  vdevice.run @blur
// CHECK-SAME:  waits(%copy_done dense<{{\[\[}}0, 2, 1], [0, 3, 1], [1, 3, 1], [0, 0, 0]]> : tensor<4x3xi64> : !vdevice.event<4>)
// CHECK-NEXT:  vdevice.run @copy
// CHECK-NOT:   waits
// CHECK-NOT:   vdevice.barrier
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 64 - 1) by [66]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @chain on @d inputs 1 names ["x", "y"] arena 2048 {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>):
  %b = vdevice.buffer offset 0 : memref<256xf32, "global">
  %c = vdevice.buffer offset 1024 : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<256xf32, "global">) outs(%c : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<256xf32, "global">) outs(%y : memref<256xf32>)
  }
}

// -----

// Who reads all waits for one counter.
// CHECK-LABEL: vdevice.program @whole
// CHECK:       %copy_done = vdevice.event : !vdevice.event<1>
// CHECK-NEXT:  vdevice.run @copy {{.*}} signals(%copy_done affine_map<(d0) -> (0)> : !vdevice.event<1>)
// CHECK-NEXT:  vdevice.run @sum {{.*}} waits(%copy_done affine_map<(d0) -> (0, 1, 4)> : !vdevice.event<1>)
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @sum grid [1] reads [#rtask.box<(i) -> (0) by [256]>] writes [#rtask.box<(i) -> (0) by [256]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @whole on @d inputs 1 names ["x", "y"] arena 1024 {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>):
  %b = vdevice.buffer offset 0 : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @sum tasks [0, 1] place affine_map<(i) -> (0)> ins(%b : memref<256xf32, "global">) outs(%y : memref<256xf32>)
  }
}

// -----

// %c lies where %b lay: who fills it waits for those who read %b, though it needs nothing of what they write.
// CHECK-LABEL: vdevice.program @reuse
// CHECK:       vdevice.run @copy
// CHECK-NEXT:  vdevice.run @blur {{.*}} waits({{.*}}) signals(%blur_done affine_map<(d0) -> (0)> : !vdevice.event<1>)
// CHECK-NEXT:  vdevice.run @copy
// CHECK-SAME:  waits(%blur_done dense<{{\[\[}}0, 1, 4], [0, 1, 4], [0, 0, 0], [0, 0, 0]]> : tensor<4x3xi64> : !vdevice.event<1>)
// CHECK-NEXT:  vdevice.run @blur
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 64 - 1) by [66]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @reuse on @d inputs 1 names ["x", "y"] arena 2048 {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>):
  %b = vdevice.buffer offset 0 : memref<256xf32, "global">
  %c = vdevice.buffer offset 0 : memref<256xf32, "global">
  %d = vdevice.buffer offset 1024 : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<256xf32, "global">) outs(%d : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%c : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<256xf32, "global">) outs(%y : memref<256xf32>)
  }
}

// -----

// What follows from another wait is not waited for: that the copy is done follows from the sum being done.
// CHECK-LABEL: vdevice.program @transitive
// CHECK:       vdevice.run @copy
// CHECK-NEXT:  vdevice.run @sum {{.*}} waits(%copy_done {{.*}} signals(%sum_done
// CHECK-NEXT:  vdevice.run @copy {{.*}} waits(%sum_done dense<{{\[\[}}0, 0, 0], [0, 1, 1], [0, 0, 0], [0, 0, 0]]> : tensor<4x3xi64> : !vdevice.event<1>)
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @sum grid [1] reads [#rtask.box<(i) -> (0) by [256]>] writes [#rtask.box<(i) -> (0) by [256]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @transitive on @d inputs 1 names ["x", "y"] arena 2048 {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>):
  %b = vdevice.buffer offset 0 : memref<256xf32, "global">
  %c = vdevice.buffer offset 1024 : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @sum tasks [0, 1] place affine_map<(i) -> (0)> ins(%b : memref<256xf32, "global">) outs(%c : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<256xf32, "global">) outs(%c : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<256xf32, "global">) outs(%y : memref<256xf32>)
  }
}

// -----

// Barriers in a loop stay, and those next to it; the runs before it wait for each other.
// CHECK-LABEL: vdevice.program @loop
// CHECK:       vdevice.run @copy {{.*}} signals
// CHECK-NEXT:  vdevice.run @blur {{.*}} waits
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.for
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.run @step
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.run @step
// CHECK-NEXT:  }
// CHECK-NEXT:  vdevice.barrier
// CHECK-NEXT:  vdevice.run @copy {{.*}} signals
// CHECK-NEXT:  vdevice.run @blur {{.*}} waits
// CHECK-NOT:   vdevice.barrier
vdevice.device @d kind "host" veus 2 threads 1 shared 65536 registers 0
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @blur grid [4] reads [#rtask.box<(i) -> (i * 64 - 1) by [66]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @step grid [2] loops 1 reads [#rtask.box<(i)[t] -> (0) by [256]>] writes [#rtask.box<(i)[t] -> (i * 128) by [128]>] {
^bb0(%i: index, %t: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @loop on @d inputs 1 names ["x", "y", "n"] arena 3072 {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>, %n: index):
  %b = vdevice.buffer offset 0 : memref<256xf32, "global">
  %c = vdevice.buffer offset 1024 : memref<256xf32, "global">
  %d = vdevice.buffer offset 2048 : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<256xf32, "global">) outs(%c : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.for %t in %n {
      vdevice.barrier
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%c : memref<256xf32, "global">) outs(%d : memref<256xf32, "global">) at(%t)
      vdevice.barrier
      vdevice.run @step tasks [0, 2] place affine_map<(i) -> (i)> ins(%d : memref<256xf32, "global">) outs(%c : memref<256xf32, "global">) at(%t)
    }
    vdevice.barrier
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%c : memref<256xf32, "global">) outs(%b : memref<256xf32, "global">)
    vdevice.barrier
    vdevice.run @blur tasks [0, 4] place affine_map<(i) -> (i mod 2)> ins(%b : memref<256xf32, "global">) outs(%y : memref<256xf32>)
  }
}
