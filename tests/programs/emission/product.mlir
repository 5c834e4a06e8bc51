// A matrix product, 16 rows a task: X staged through shared memory, W through the ring, in chunks of 8 rows of W.
rop.weight @w : tensor<40x32xf32> hash "1"

rtask.kernel @product grid [3] reads [#rtask.box<(i) -> (i * 16, 0) by [16, 40]>, #rtask.box<(i) -> (0, 0) by [40, 32]>]
    writes [#rtask.box<(i) -> (i * 16, 0) by [16, 32]>] {
^bb0(%i: index, %x: tensor<42x40xf32>, %w: tensor<40x32xf32>, %y: tensor<42x32xf32>):
  rtask.yield %y : tensor<42x32xf32>
} implementation @product_block [42, 40, 5]

block.body @product_block threads 64 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">,
     %rows: index, %depth: index, %chunks: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %four = arith.constant 4 : index
  %eight = arith.constant 8 : index
  %sixteen = arith.constant 16 : index
  %columns = arith.constant 32 : index
  %threads = arith.constant 64 : index
  %tile = memref.alloca() : memref<16x8xf32, strided<[12, 1]>, "shared">
  %sums = memref.alloca() : memref<8xf32, "thread">
  %first = arith.muli %task, %sixteen : index
  block.parallel thread (%thread) in %threads {
    %nothing = arith.constant 0.0 : f32
    scf.for %j = %zero to %eight step %one {
      memref.store %nothing, %sums[%j] : memref<8xf32, "thread">
    } {block.unroll}
  }
  scf.for %chunk = %zero to %chunks step %one {
    %slot = block.ring_wait : memref<8x32xf32, "shared">
    block.barrier
    %pieces = arith.constant 32 : index
    block.parallel thread (%piece) in %pieces {
      %row = arith.divui %piece, %two : index
      %half = arith.remui %piece, %two : index
      %column = arith.muli %half, %four : index
      %m = arith.addi %first, %row : index
      %inside = arith.cmpi slt, %m, %rows : index
      %start = arith.muli %m, %depth : index
      %behind = arith.muli %chunk, %eight : index
      %k = arith.addi %behind, %column : index
      %a = arith.addi %start, %k : index
      block.copy_async 4 %x[%a], %tile[%row, %column] if %inside
        : memref<?xf32, "global">, memref<16x8xf32, strided<[12, 1]>, "shared">
    }
    block.commit_copies
    block.wait_copies 0
    block.barrier
    block.parallel thread (%thread) in %threads {
      %row = arith.divui %thread, %four : index
      %group = arith.remui %thread, %four : index
      %column = arith.muli %group, %eight : index
      %fragment = memref.alloca() : memref<8xf32, "thread">
      scf.for %k = %zero to %eight step %one {
        %v = memref.load %tile[%row, %k] : memref<16x8xf32, strided<[12, 1]>, "shared">
        scf.for %j = %zero to %eight step %four {
          %n = arith.addi %column, %j : index
          block.copy 4 %slot[%k, %n], %fragment[%j] : memref<8x32xf32, "shared">, memref<8xf32, "thread">
        } {block.unroll}
        scf.for %j = %zero to %eight step %one {
          %f = memref.load %fragment[%j] : memref<8xf32, "thread">
          %s = memref.load %sums[%j] : memref<8xf32, "thread">
          %p = arith.mulf %v, %f : f32
          %r = arith.addf %s, %p : f32
          memref.store %r, %sums[%j] : memref<8xf32, "thread">
        } {block.unroll}
      } {block.unroll}
    }
    block.ring_release
  }
  block.parallel thread (%thread) in %threads {
    %row = arith.divui %thread, %four : index
    %group = arith.remui %thread, %four : index
    %column = arith.muli %group, %eight : index
    %m = arith.addi %first, %row : index
    %inside = arith.cmpi slt, %m, %rows : index
    scf.if %inside {
      %start = arith.muli %m, %columns : index
      %a = arith.addi %start, %column : index
      scf.for %j = %zero to %eight step %four {
        %to = arith.addi %a, %j : index
        block.copy 4 %sums[%j], %y[%to] : memref<8xf32, "thread">, memref<?xf32, "global">
      } {block.unroll}
    }
  }
  block.yield
} service {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %w: memref<?xf32, "weights">, %y: memref<?xf32, "global">,
     %rows: index, %depth: index, %chunks: index):
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %size = arith.constant 256 : index
  scf.for %chunk = %zero to %chunks step %one {
    %a = arith.muli %chunk, %size : index
    block.ring_push 256 %w[%a] : memref<?xf32, "weights">
  }
  block.yield
}

vdevice.program @product_of_two on @device inputs 1 names ["x", "y"] {
^bb0(%x: memref<42x40xf32>, %y: memref<42x32xf32>):
  %w = vdevice.weight @w : memref<40x32xf32, "weights">
  vdevice.launch veus 2 threads 64 service 64 ring 4 x 1024 scratch 768 pinned 0 registers 128 {
    vdevice.run @product tasks [0, 3] place affine_map<(i) -> (i mod 2)>
      ins(%x, %w : memref<42x40xf32>, memref<40x32xf32, "weights">) outs(%y : memref<42x32xf32>)
  }
}
