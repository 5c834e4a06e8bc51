// Twice the softmax of each row: rows of 4 on two vEUs, handed over by events.
rtask.kernel @softmax grid [3] reads [#rtask.box<(i) -> (i * 4, 0) by [4, 50]>] writes [#rtask.box<(i) -> (i * 4, 0) by [4, 50]>] {
^bb0(%i: index, %x: tensor<12x50xf32>, %y: tensor<12x50xf32>):
  rtask.yield %y : tensor<12x50xf32>
} implementation @softmax_block [50]

rtask.kernel @double grid [6] reads [#rtask.box<(i) -> (i * 2, 0) by [2, 50]>] writes [#rtask.box<(i) -> (i * 2, 0) by [2, 50]>] {
^bb0(%i: index, %x: tensor<12x50xf32>, %y: tensor<12x50xf32>):
  rtask.yield %y : tensor<12x50xf32>
} implementation @double_block [100]

block.body @softmax_block threads 128 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %columns: index):
  %rows = arith.constant 4 : index
  %first = arith.muli %task, %rows : index
  %sums = memref.alloca() : memref<4xf32, "shared">
  block.parallel warp (%w) in %rows {
    %row = arith.addi %first, %w : index
    %base = arith.muli %row, %columns : index
    %max = block.warp_reduce maximum (%k) in %columns -> f32 {
      %a = arith.addi %base, %k : index
      %v = memref.load %x[%a] : memref<?xf32, "global">
      block.yield %v : f32
    }
    %sum = block.warp_reduce add (%k) in %columns -> f32 {
      %a = arith.addi %base, %k : index
      %v = memref.load %x[%a] : memref<?xf32, "global">
      %d = arith.subf %v, %max : f32
      %e = math.exp %d : f32
      memref.store %e, %y[%a] : memref<?xf32, "global">
      block.yield %e : f32
    }
    memref.store %sum, %sums[%w] : memref<4xf32, "shared">
  }
  block.barrier
  %count = arith.muli %rows, %columns : index
  %start = arith.muli %first, %columns : index
  block.parallel thread (%i) in %count {
    %w = arith.divui %i, %columns : index
    %s = memref.load %sums[%w] : memref<4xf32, "shared">
    %a = arith.addi %start, %i : index
    %e = memref.load %y[%a] : memref<?xf32, "global">
    %q = arith.divf %e, %s : f32
    memref.store %q, %y[%a] : memref<?xf32, "global">
  }
  block.yield
}

block.body @double_block threads 128 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %y: memref<?xf32, "global">, %n: index):
  %two = arith.constant 2.0 : f32
  %base = arith.muli %task, %n : index
  block.parallel thread (%i) in %n {
    %a = arith.addi %base, %i : index
    %v = memref.load %x[%a] : memref<?xf32, "global">
    %w = arith.mulf %v, %two : f32
    memref.store %w, %y[%a] : memref<?xf32, "global">
  }
  block.yield
}

vdevice.program @rows on @device inputs 1 names ["x", "y"] arena 4096 {
^bb0(%x: memref<12x50xf32>, %y: memref<12x50xf32>):
  %b = vdevice.buffer offset 256 : memref<12x50xf32, "global">
  vdevice.launch veus 2 threads 128 service 0 ring 0 x 0 scratch 16 pinned 0 registers 128 {
    %ready = vdevice.event : !vdevice.event<3>
    vdevice.run @softmax tasks [0, 3] place affine_map<(i) -> (i mod 2)>
      ins(%x : memref<12x50xf32>) outs(%b : memref<12x50xf32, "global">)
      signals(%ready affine_map<(i) -> (i)> : !vdevice.event<3>)
    vdevice.run @double tasks [0, 6] place affine_map<(i) -> (i floordiv 3)>
      ins(%b : memref<12x50xf32, "global">) outs(%y : memref<12x50xf32>)
      waits(%ready affine_map<(i) -> (i floordiv 2, 1, 1)> : !vdevice.event<3>)
  }
}
