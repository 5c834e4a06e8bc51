// h[t + 1, j] = tanh(sum over i of u[j, i] h[t, i] + x[t, j]): 8 units a vEU, weights pinned, h as words, y[t] = h[t + 1].
rop.weight @u : tensor<16x16xf32> hash "1"

rtask.kernel @begin grid [1] reads [#rtask.box<(i) -> (0) by [16]>] writes [#rtask.box<(i) -> (0, 0) by [1, 16]>] {
^bb0(%i: index, %s: tensor<16xf32>, %h: tensor<21x16xf32>):
  rtask.yield %h : tensor<21x16xf32>
} implementation @begin_block [16]

block.body @begin_block threads 128 {
^bb0(%task: index, %t: index, %s: memref<?xf32, "global">, %h: memref<?xf32, "words">, %n: index):
  block.parallel thread (%j) in %n {
    %v = memref.load %s[%j] : memref<?xf32, "global">
    memref.store %v, %h[%j] : memref<?xf32, "words">
  }
  block.yield
}

rtask.kernel @cell grid [2] loops 1
    reads [#rtask.box<(p)[t] -> (t, p * 8) by [1, 8]>, #rtask.box<(p)[t] -> (t, 0) by [1, 16]>, #rtask.box<(p)[t] -> (p * 8, 0) by [8, 16]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * 8) by [1, 8]>, #rtask.box<(p)[t] -> (t, p * 8) by [1, 8]>] {
^bb0(%p: index, %t: index, %x: tensor<20x16xf32>, %before: tensor<21x16xf32>, %u: tensor<16x16xf32>, %h: tensor<21x16xf32>, %y: tensor<20x16xf32>):
  rtask.yield %h, %y : tensor<21x16xf32>, tensor<20x16xf32>
} implementation @cell_block [16]

block.body @cell_block threads 128 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %before: memref<?xf32, "words">, %u: memref<?xf32, "pinned">,
     %h: memref<?xf32, "words">, %y: memref<?xf32, "global">, %n: index):
  %one = arith.constant 1 : index
  %part = arith.constant 8 : index
  %from = arith.muli %t, %n : index
  %next = arith.addi %t, %one : index
  %to = arith.muli %next, %n : index
  %first = arith.muli %task, %part : index
  block.parallel warp (%j) in %part {
    %row = arith.muli %j, %n : index
    %sum = block.warp_reduce add (%i) in %n -> f32 {
      %a = arith.addi %row, %i : index
      %b = arith.addi %from, %i : index
      %w = memref.load %u[%a] : memref<?xf32, "pinned">
      %v = memref.load %before[%b] : memref<?xf32, "words">
      %p = arith.mulf %w, %v : f32
      block.yield %p : f32
    }
    %unit = arith.addi %first, %j : index
    %c = arith.addi %from, %unit : index
    %g = memref.load %x[%c] : memref<?xf32, "global">
    %s = arith.addf %sum, %g : f32
    %r = math.tanh %s : f32
    %d = arith.addi %to, %unit : index
    memref.store %r, %h[%d] : memref<?xf32, "words">
    memref.store %r, %y[%c] : memref<?xf32, "global">
  }
  block.yield
}

vdevice.program @recurrence on @device inputs 2 names ["x", "start", "y", "steps"] arena 4096
    attributes {vdevice.lengths = {x = "steps", y = "steps"}} {
^bb0(%x: memref<20x16xf32>, %start: memref<16xf32>, %y: memref<20x16xf32>, %steps: index):
  %u = vdevice.weight @u : memref<16x16xf32, "weights">
  %h = vdevice.buffer offset 0 : memref<21x16xf32, "words">
  vdevice.launch veus 2 threads 128 service 0 ring 0 x 0 scratch 0 pinned 512 registers 128 {
    vdevice.group [0, 2] {
      %p = vdevice.pin %u box <(p) -> (p * 8, 0) by [8, 16]> : memref<16x16xf32, "weights"> -> memref<8x16xf32, "pinned">
      vdevice.run @begin tasks [0, 1] place affine_map<(i) -> (1)>
        ins(%start : memref<16xf32>) outs(%h : memref<21x16xf32, "words">)
      vdevice.for %t in %steps {
        vdevice.run @cell tasks [0, 2] place affine_map<(i) -> (i)>
          ins(%x, %h, %p : memref<20x16xf32>, memref<21x16xf32, "words">, memref<8x16xf32, "pinned">)
          outs(%h, %y : memref<21x16xf32, "words">, memref<20x16xf32>) at(%t)
      }
    }
  }
}
