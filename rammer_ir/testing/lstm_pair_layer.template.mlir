!source$layer = tensor<${source_rows}x${hidden}xf32>
rop.weight @u$layer : !weights hash "u$layer"
rop.weight @b$layer : !biases hash "b$layer"

// One step of a layer, on the units of one vEU: gates from x and h, then the next cell and state.
rtask.kernel @cell$layer grid [$veus] loops 1
    reads [#rtask.box<(p)[t] -> ($row, 0) by [1, $hidden]>, #rtask.box<(p)[t] -> (t, 0) by [1, $hidden]>,
           #rtask.box<(p)[t] -> (0, p * $units, 0) by [4, $units, $columns]>,
           #rtask.box<(p)[t] -> (0, p * $units) by [4, $units]>, #rtask.box<(p)[t] -> (p * $units) by [$units]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * $units) by [1, $units]>, #rtask.box<(p)[t] -> (p * $units) by [$units]>,
            #rtask.box<(p)[t] -> (t, p * $units) by [1, $units]>] {
^bb0(%p: index, %t: index, %x: !source$layer, %h: !states, %w: !weights, %b: !biases, %c: !cells,
     %h0: !states, %c0: !cells, %y0: !rows):
  %of_x = rop.generic bounds [4, $units, $hidden]
      maps [affine_map<(g, u, k)[p, t] -> (g, p * $units + u, k)>, affine_map<(g, u, k)[p, t] -> ($row, k)>,
            affine_map<(g, u, k)[p, t] -> (g, u)>]
      reduce [add] ins(%w, %x : !weights, !source$layer) at(%p, %t) {
  ^bb1(%a: f32, %v: f32):
    %m = arith.mulf %a, %v : f32
    rop.yield %m : f32
  } -> !gates
  %of_h = rop.generic bounds [4, $units, $hidden]
      maps [affine_map<(g, u, k)[p, t] -> (g, p * $units + u, k + $hidden)>, affine_map<(g, u, k)[p, t] -> (t, k)>,
            affine_map<(g, u, k)[p, t] -> (g, u)>]
      reduce [add] ins(%w, %h : !weights, !states) at(%p, %t) {
  ^bb1(%a: f32, %v: f32):
    %m = arith.mulf %a, %v : f32
    rop.yield %m : f32
  } -> !gates
  %sums = rop.generic bounds [4, $units]
      maps [affine_map<(g, u)[p, t] -> (g, u)>, affine_map<(g, u)[p, t] -> (g, u)>,
            affine_map<(g, u)[p, t] -> (g, p * $units + u)>, affine_map<(g, u)[p, t] -> (g, u)>]
      ins(%of_x, %of_h, %b : !gates, !gates, !biases) at(%p, %t) {
  ^bb1(%a: f32, %v: f32, %bias: f32):
    %s = arith.addf %a, %v : f32
    %r = arith.addf %s, %bias : f32
    rop.yield %r : f32
  } -> !gates
  %h1, %c1, %y1 = rop.generic bounds [$units]
      maps [affine_map<(u)[p, t] -> (0, u)>, affine_map<(u)[p, t] -> (1, u)>, affine_map<(u)[p, t] -> (2, u)>,
            affine_map<(u)[p, t] -> (3, u)>, affine_map<(u)[p, t] -> (p * $units + u)>,
            affine_map<(u)[p, t] -> (t + 1, p * $units + u)>, affine_map<(u)[p, t] -> (p * $units + u)>,
            affine_map<(u)[p, t] -> (t, p * $units + u)>]
      ins(%sums, %sums, %sums, %sums, %c : !gates, !gates, !gates, !gates, !cells)
      into(%h0, %c0, %y0 : !states, !cells, !rows) at(%p, %t) {
  ^bb1(%i: f32, %o: f32, %f: f32, %g: f32, %cell: f32):
$update
    rop.yield %state, %next, %state : f32, f32, f32
  } -> !states, !cells, !rows
  rtask.yield %h1, %c1, %y1 : !states, !cells, !rows
} implementation @cell${layer}_body []

// Threads stage x and h, a warp a gate and unit multiplies, a thread a unit updates.
block.body @cell${layer}_body threads $threads {
^bb0(%task: index, %t: index, %x: memref<?xf32, "$source_space">, %h: !passed, %w: memref<?xf32, "pinned">,
     %b: memref<?xf32, "weights">, %c: !global, %h0: !passed, %c0: !global, %y: !global):
  %units = arith.constant $units : index
  %hidden = arith.constant $hidden : index
  %columns = arith.constant $columns : index
  %padded = arith.constant $padded : index
  %gate_rows = arith.constant $gate_rows : index
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %three = arith.constant 3 : index
  %staged = memref.alloca() : !staged
  %sums = memref.alloca() : !sums
  %next_row = arith.addi %t, %one : index
  %source_row = arith.addi %t, $source_offset : index
  %x_row = arith.muli %source_row, %hidden : index
  %h_row = arith.muli %t, %hidden : index
  %next_h_row = arith.muli %next_row, %hidden : index
  %first = arith.muli %task, %units : index
  block.parallel thread (%k) in %hidden {
    %from = arith.addi %x_row, %k : index
    %v = memref.load %x[%from] : memref<?xf32, "$source_space">
    memref.store %v, %staged[%k] : !staged
  }
  block.parallel thread (%k) in %hidden {
    %from = arith.addi %h_row, %k : index
    %v = memref.load %h[%from] : !passed
    %to = arith.addi %k, %hidden : index
    memref.store %v, %staged[%to] : !staged
  }
  block.barrier
  block.parallel warp (%r) in %gate_rows {
    %begin = arith.muli %r, %columns : index
    %sum = block.warp_reduce add (%k) in %columns -> f32 {
      %at = arith.addi %begin, %k : index
      %a = memref.load %w[%at] : memref<?xf32, "pinned">
      %v = memref.load %staged[%k] : !staged
      %m = arith.mulf %a, %v : f32
      block.yield %m : f32
    }
    memref.store %sum, %sums[%r] : !sums
  }
  block.barrier
  block.parallel thread (%u) in %units {
    %unit = arith.addi %first, %u : index
$gates
    %cell = memref.load %c[%unit] : !global
$update
    memref.store %next, %c0[%unit] : !global
    %inside = arith.cmpi ult, %unit, %hidden : index
    scf.if %inside {
      %h_at = arith.addi %next_h_row, %unit : index
      memref.store %state, %h0[%h_at] : !passed
      %y_at = arith.addi %h_row, %unit : index
      memref.store %state, %y[%y_at] : !global
    }
  }
  block.yield
}
