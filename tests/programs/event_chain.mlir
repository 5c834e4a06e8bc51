// Three kernels one after another: tasks wait for the tasks whose results they read, not for whole kernels.
!x = memref<64xf32>
!g = memref<64xf32, "global">
!t = tensor<64xf32>

vdevice.device @d kind "host" veus 4 threads 1 shared 0 registers 0

rtask.kernel @increment grid [8] reads [#rtask.box<(i) -> (i * 8) by [8]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: !t, %y: !t):
  %r = rop.generic bounds [8] maps [affine_map<(d)[i] -> (i * 8 + d)>, affine_map<(d)[i] -> (i * 8 + d)>]
      ins(%x : !t) into(%y : !t) at(%i) {
  ^bb1(%a: f32):
    %one = arith.constant 1.0 : f32
    %s = arith.addf %a, %one : f32
    rop.yield %s : f32
  } -> !t
  rtask.yield %r : !t
}

rtask.kernel @blur grid [8] reads [#rtask.box<(i) -> (i * 8 - 1) by [10]>] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %x: !t, %y: !t):
  %r = rop.generic bounds [8, 3] maps [affine_map<(d, k)[i] -> (i * 8 + d + k - 1)>, affine_map<(d, k)[i] -> (i * 8 + d)>]
      reduce [add] pad [0.0 : f32] ins(%x : !t) into(%y : !t) at(%i) {
  ^bb1(%a: f32):
    rop.yield %a : f32
  } -> !t
  rtask.yield %r : !t
}

vdevice.program @main on @d inputs 1 names ["x", "y"] arena 512 {
^bb0(%x: !x, %y: !x):
  %a = vdevice.buffer offset 0 : !g
  %b = vdevice.buffer offset 256 : !g
  vdevice.launch veus 4 threads 1 service 0 ring 0 x 0 scratch 0 pinned 0 registers 0 {
    %e = vdevice.event : !vdevice.event<10>
    %f = vdevice.event : !vdevice.event<1>
    vdevice.run @increment tasks [0, 8] place affine_map<(i) -> (i mod 4)> ins(%x : !x) outs(%a : !g)
        signals(%e affine_map<(i) -> (i + 1)> : !vdevice.event<10>)
    vdevice.run @blur tasks [1, 7] place affine_map<(i) -> ((i + 2) mod 4)> ins(%a : !g) outs(%b : !g)
        waits(%e affine_map<(i) -> (i, 3, 1)> : !vdevice.event<10>)
        signals(%f affine_map<(i) -> (0)> : !vdevice.event<1>)
    vdevice.run @blur tasks [0, 1] place affine_map<(i) -> (0)> ins(%a : !g) outs(%b : !g)
        waits(%e affine_map<(i) -> (1, 2, 1)> : !vdevice.event<10>)
        signals(%f affine_map<(i) -> (0)> : !vdevice.event<1>)
    vdevice.run @blur tasks [7, 8] place affine_map<(i) -> (1)> ins(%a : !g) outs(%b : !g)
        waits(%e affine_map<(i) -> (7, 2, 1)> : !vdevice.event<10>)
        signals(%f affine_map<(i) -> (0)> : !vdevice.event<1>)
    vdevice.run @increment tasks [0, 8] place affine_map<(i) -> (i mod 4)> ins(%b : !g) outs(%a : !g)
        waits(%f affine_map<(i) -> (0, 1, 8)> : !vdevice.event<1>)
    vdevice.run @increment tasks [0, 8] place affine_map<(i) -> (i mod 4)> ins(%a : !g) outs(%y : !x)
  }
}
