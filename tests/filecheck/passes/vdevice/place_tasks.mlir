// RUN: rammer-opt %s -p 'set-device{device=host veus=2},place-tasks' | filecheck %s
// RUN: rammer-opt %s -p 'set-device{device=host veus=2},place-tasks,insert-barriers,plan-memory,relax-barriers,verify-program' | filecheck %s --check-prefix=PROVED

// The chain of sums is the longer path: it comes first, and most of the copies that fill %y run beside it on the other vEU.
// PROVED:      vdevice.run @copy {{.*}} signals
// PROVED-NEXT: vdevice.run @sum {{.*}} waits
// PROVED-NOT:  vdevice.barrier
// CHECK:       vdevice.run @copy tasks [0, 4] place affine_map<(d0) -> ((d0 mod 2))> ins(%x : memref<256xf32>) outs(%b
// CHECK-NEXT:  vdevice.run @sum tasks [0, 1] place affine_map<(d0) -> (d0)> ins(%b
// CHECK-NEXT:  vdevice.run @copy tasks [0, 4] place dense<[1, 1, 1, 0]> : tensor<4xi64> ins(%x : memref<256xf32>) outs(%y
// CHECK-NEXT:  vdevice.run @sum tasks [0, 1] place affine_map<(d0) -> ((d0 + 1))> ins(%d
rtask.kernel @copy grid [4] reads [#rtask.box<(i) -> (i * 64) by [64]>] writes [#rtask.box<(i) -> (i * 64) by [64]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
rtask.kernel @sum grid [1] reads [#rtask.box<(i) -> (0) by [256]>] writes [#rtask.box<(i) -> (0) by [256]>] {
^bb0(%i: index, %x: tensor<256xf32>, %y: tensor<256xf32>):
  rtask.yield %y : tensor<256xf32>
}
vdevice.program @main on @host inputs 1 names ["x", "y", "z"] {
^bb0(%x: memref<256xf32>, %y: memref<256xf32>, %z: memref<256xf32>):
  %b = vdevice.buffer : memref<256xf32, "global">
  %d = vdevice.buffer : memref<256xf32, "global">
  vdevice.launch veus 2 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (0)> ins(%x : memref<256xf32>) outs(%b : memref<256xf32, "global">) cost #rtask.cost<1.0 us from "analytic">
    vdevice.run @copy tasks [0, 4] place affine_map<(i) -> (1)> ins(%x : memref<256xf32>) outs(%y : memref<256xf32>) cost #rtask.cost<5.0 us from "analytic">
    vdevice.run @sum tasks [0, 1] place affine_map<(i) -> (0)> ins(%b : memref<256xf32, "global">) outs(%d : memref<256xf32, "global">) cost #rtask.cost<10.0 us from "analytic">
    vdevice.run @sum tasks [0, 1] place affine_map<(i) -> (0)> ins(%d : memref<256xf32, "global">) outs(%z : memref<256xf32>) cost #rtask.cost<10.0 us from "analytic">
  }
}
