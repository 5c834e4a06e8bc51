// Two LSTM layers of 256 units, each on 13 vEUs of its own, weights in shared memory; states pass as words.
!states = tensor<513x256xf32>
!rows = tensor<512x256xf32>
!cells = tensor<260xf32>
!weights = tensor<4x260x512xf32>
!biases = tensor<4x260xf32>
!gates = tensor<4x20xf32>
!passed = memref<?xf32, "words">
!global = memref<?xf32, "global">
!staged = memref<512xf32, "shared">
!sums = memref<80xf32, "shared">

vdevice.device @device kind "cuda" veus 132 threads 1024 shared 232448 registers 65536

// The state and the cell before the first step.
rtask.kernel @init grid [13] reads []
    writes [#rtask.box<(p) -> (0, p * 20) by [1, 20]>, #rtask.box<(p) -> (p * 20) by [20]>] {
^bb0(%p: index, %h: !states, %c: !cells):
  %h1, %c1 = rop.generic bounds [20] maps [affine_map<(u)[p] -> (0, p * 20 + u)>, affine_map<(u)[p] -> (p * 20 + u)>]
      into(%h, %c : !states, !cells) at(%p) {
    %zero = arith.constant 0.0 : f32
    rop.yield %zero, %zero : f32, f32
  } -> !states, !cells
  rtask.yield %h1, %c1 : !states, !cells
} implementation @init_body []

block.body @init_body threads 640 {
^bb0(%task: index, %t: index, %h: !passed, %c: !global):
  %units = arith.constant 20 : index
  %hidden = arith.constant 256 : index
  %zero = arith.constant 0.0 : f32
  %first = arith.muli %task, %units : index
  block.parallel thread (%u) in %units {
    %unit = arith.addi %first, %u : index
    memref.store %zero, %c[%unit] : !global
    %inside = arith.cmpi ult, %unit, %hidden : index
    scf.if %inside {
      memref.store %zero, %h[%unit] : !passed
    }
  }
  block.yield
}

!source0 = tensor<512x256xf32>
rop.weight @u0 : !weights hash "u0"
rop.weight @b0 : !biases hash "b0"

// One step of a layer, on the units of one vEU: gates from x and h, then the next cell and state.
rtask.kernel @cell0 grid [13] loops 1
    reads [#rtask.box<(p)[t] -> (t, 0) by [1, 256]>, #rtask.box<(p)[t] -> (t, 0) by [1, 256]>,
           #rtask.box<(p)[t] -> (0, p * 20, 0) by [4, 20, 512]>,
           #rtask.box<(p)[t] -> (0, p * 20) by [4, 20]>, #rtask.box<(p)[t] -> (p * 20) by [20]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * 20) by [1, 20]>, #rtask.box<(p)[t] -> (p * 20) by [20]>,
            #rtask.box<(p)[t] -> (t, p * 20) by [1, 20]>] {
^bb0(%p: index, %t: index, %x: !source0, %h: !states, %w: !weights, %b: !biases, %c: !cells,
     %h0: !states, %c0: !cells, %y0: !rows):
  %of_x = rop.generic bounds [4, 20, 256]
      maps [affine_map<(g, u, k)[p, t] -> (g, p * 20 + u, k)>, affine_map<(g, u, k)[p, t] -> (t, k)>,
            affine_map<(g, u, k)[p, t] -> (g, u)>]
      reduce [add] ins(%w, %x : !weights, !source0) at(%p, %t) {
  ^bb1(%a: f32, %v: f32):
    %m = arith.mulf %a, %v : f32
    rop.yield %m : f32
  } -> !gates
  %of_h = rop.generic bounds [4, 20, 256]
      maps [affine_map<(g, u, k)[p, t] -> (g, p * 20 + u, k + 256)>, affine_map<(g, u, k)[p, t] -> (t, k)>,
            affine_map<(g, u, k)[p, t] -> (g, u)>]
      reduce [add] ins(%w, %h : !weights, !states) at(%p, %t) {
  ^bb1(%a: f32, %v: f32):
    %m = arith.mulf %a, %v : f32
    rop.yield %m : f32
  } -> !gates
  %sums = rop.generic bounds [4, 20]
      maps [affine_map<(g, u)[p, t] -> (g, u)>, affine_map<(g, u)[p, t] -> (g, u)>,
            affine_map<(g, u)[p, t] -> (g, p * 20 + u)>, affine_map<(g, u)[p, t] -> (g, u)>]
      ins(%of_x, %of_h, %b : !gates, !gates, !biases) at(%p, %t) {
  ^bb1(%a: f32, %v: f32, %bias: f32):
    %s = arith.addf %a, %v : f32
    %r = arith.addf %s, %bias : f32
    rop.yield %r : f32
  } -> !gates
  %h1, %c1, %y1 = rop.generic bounds [20]
      maps [affine_map<(u)[p, t] -> (0, u)>, affine_map<(u)[p, t] -> (1, u)>, affine_map<(u)[p, t] -> (2, u)>,
            affine_map<(u)[p, t] -> (3, u)>, affine_map<(u)[p, t] -> (p * 20 + u)>,
            affine_map<(u)[p, t] -> (t + 1, p * 20 + u)>, affine_map<(u)[p, t] -> (p * 20 + u)>,
            affine_map<(u)[p, t] -> (t, p * 20 + u)>]
      ins(%sums, %sums, %sums, %sums, %c : !gates, !gates, !gates, !gates, !cells)
      into(%h0, %c0, %y0 : !states, !cells, !rows) at(%p, %t) {
  ^bb1(%i: f32, %o: f32, %f: f32, %g: f32, %cell: f32):
    %unity = arith.constant 1.0 : f32
    %minus_i = arith.negf %i : f32
    %exp_i = math.exp %minus_i : f32
    %below_i = arith.addf %exp_i, %unity : f32
    %open_i = arith.divf %unity, %below_i : f32
    %minus_o = arith.negf %o : f32
    %exp_o = math.exp %minus_o : f32
    %below_o = arith.addf %exp_o, %unity : f32
    %open_o = arith.divf %unity, %below_o : f32
    %minus_f = arith.negf %f : f32
    %exp_f = math.exp %minus_f : f32
    %below_f = arith.addf %exp_f, %unity : f32
    %open_f = arith.divf %unity, %below_f : f32
    %candidate = math.tanh %g : f32
    %kept = arith.mulf %open_f, %cell : f32
    %new = arith.mulf %open_i, %candidate : f32
    %next = arith.addf %kept, %new : f32
    %bounded = math.tanh %next : f32
    %state = arith.mulf %open_o, %bounded : f32
    rop.yield %state, %next, %state : f32, f32, f32
  } -> !states, !cells, !rows
  rtask.yield %h1, %c1, %y1 : !states, !cells, !rows
} implementation @cell0_body []

// Threads stage x and h, a warp a gate and unit multiplies, a thread a unit updates.
block.body @cell0_body threads 640 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "global">, %h: !passed, %w: memref<?xf32, "pinned">,
     %b: memref<?xf32, "weights">, %c: !global, %h0: !passed, %c0: !global, %y: !global):
  %units = arith.constant 20 : index
  %hidden = arith.constant 256 : index
  %columns = arith.constant 512 : index
  %padded = arith.constant 260 : index
  %gate_rows = arith.constant 80 : index
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %three = arith.constant 3 : index
  %staged = memref.alloca() : !staged
  %sums = memref.alloca() : !sums
  %next_row = arith.addi %t, %one : index
  %source_row = arith.addi %t, %zero : index
  %x_row = arith.muli %source_row, %hidden : index
  %h_row = arith.muli %t, %hidden : index
  %next_h_row = arith.muli %next_row, %hidden : index
  %first = arith.muli %task, %units : index
  block.parallel thread (%k) in %hidden {
    %from = arith.addi %x_row, %k : index
    %v = memref.load %x[%from] : memref<?xf32, "global">
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
    %i_row = arith.muli %zero, %units : index
    %i_at = arith.addi %i_row, %u : index
    %i_sum = memref.load %sums[%i_at] : !sums
    %i_bias_row = arith.muli %zero, %padded : index
    %i_bias_at = arith.addi %i_bias_row, %unit : index
    %i_bias = memref.load %b[%i_bias_at] : memref<?xf32, "weights">
    %i = arith.addf %i_sum, %i_bias : f32
    %o_row = arith.muli %one, %units : index
    %o_at = arith.addi %o_row, %u : index
    %o_sum = memref.load %sums[%o_at] : !sums
    %o_bias_row = arith.muli %one, %padded : index
    %o_bias_at = arith.addi %o_bias_row, %unit : index
    %o_bias = memref.load %b[%o_bias_at] : memref<?xf32, "weights">
    %o = arith.addf %o_sum, %o_bias : f32
    %f_row = arith.muli %two, %units : index
    %f_at = arith.addi %f_row, %u : index
    %f_sum = memref.load %sums[%f_at] : !sums
    %f_bias_row = arith.muli %two, %padded : index
    %f_bias_at = arith.addi %f_bias_row, %unit : index
    %f_bias = memref.load %b[%f_bias_at] : memref<?xf32, "weights">
    %f = arith.addf %f_sum, %f_bias : f32
    %g_row = arith.muli %three, %units : index
    %g_at = arith.addi %g_row, %u : index
    %g_sum = memref.load %sums[%g_at] : !sums
    %g_bias_row = arith.muli %three, %padded : index
    %g_bias_at = arith.addi %g_bias_row, %unit : index
    %g_bias = memref.load %b[%g_bias_at] : memref<?xf32, "weights">
    %g = arith.addf %g_sum, %g_bias : f32
    %cell = memref.load %c[%unit] : !global
    %unity = arith.constant 1.0 : f32
    %minus_i = arith.negf %i : f32
    %exp_i = math.exp %minus_i : f32
    %below_i = arith.addf %exp_i, %unity : f32
    %open_i = arith.divf %unity, %below_i : f32
    %minus_o = arith.negf %o : f32
    %exp_o = math.exp %minus_o : f32
    %below_o = arith.addf %exp_o, %unity : f32
    %open_o = arith.divf %unity, %below_o : f32
    %minus_f = arith.negf %f : f32
    %exp_f = math.exp %minus_f : f32
    %below_f = arith.addf %exp_f, %unity : f32
    %open_f = arith.divf %unity, %below_f : f32
    %candidate = math.tanh %g : f32
    %kept = arith.mulf %open_f, %cell : f32
    %new = arith.mulf %open_i, %candidate : f32
    %next = arith.addf %kept, %new : f32
    %bounded = math.tanh %next : f32
    %state = arith.mulf %open_o, %bounded : f32
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

!source1 = tensor<513x256xf32>
rop.weight @u1 : !weights hash "u1"
rop.weight @b1 : !biases hash "b1"

// One step of a layer, on the units of one vEU: gates from x and h, then the next cell and state.
rtask.kernel @cell1 grid [13] loops 1
    reads [#rtask.box<(p)[t] -> (t + 1, 0) by [1, 256]>, #rtask.box<(p)[t] -> (t, 0) by [1, 256]>,
           #rtask.box<(p)[t] -> (0, p * 20, 0) by [4, 20, 512]>,
           #rtask.box<(p)[t] -> (0, p * 20) by [4, 20]>, #rtask.box<(p)[t] -> (p * 20) by [20]>]
    writes [#rtask.box<(p)[t] -> (t + 1, p * 20) by [1, 20]>, #rtask.box<(p)[t] -> (p * 20) by [20]>,
            #rtask.box<(p)[t] -> (t, p * 20) by [1, 20]>] {
^bb0(%p: index, %t: index, %x: !source1, %h: !states, %w: !weights, %b: !biases, %c: !cells,
     %h0: !states, %c0: !cells, %y0: !rows):
  %of_x = rop.generic bounds [4, 20, 256]
      maps [affine_map<(g, u, k)[p, t] -> (g, p * 20 + u, k)>, affine_map<(g, u, k)[p, t] -> (t + 1, k)>,
            affine_map<(g, u, k)[p, t] -> (g, u)>]
      reduce [add] ins(%w, %x : !weights, !source1) at(%p, %t) {
  ^bb1(%a: f32, %v: f32):
    %m = arith.mulf %a, %v : f32
    rop.yield %m : f32
  } -> !gates
  %of_h = rop.generic bounds [4, 20, 256]
      maps [affine_map<(g, u, k)[p, t] -> (g, p * 20 + u, k + 256)>, affine_map<(g, u, k)[p, t] -> (t, k)>,
            affine_map<(g, u, k)[p, t] -> (g, u)>]
      reduce [add] ins(%w, %h : !weights, !states) at(%p, %t) {
  ^bb1(%a: f32, %v: f32):
    %m = arith.mulf %a, %v : f32
    rop.yield %m : f32
  } -> !gates
  %sums = rop.generic bounds [4, 20]
      maps [affine_map<(g, u)[p, t] -> (g, u)>, affine_map<(g, u)[p, t] -> (g, u)>,
            affine_map<(g, u)[p, t] -> (g, p * 20 + u)>, affine_map<(g, u)[p, t] -> (g, u)>]
      ins(%of_x, %of_h, %b : !gates, !gates, !biases) at(%p, %t) {
  ^bb1(%a: f32, %v: f32, %bias: f32):
    %s = arith.addf %a, %v : f32
    %r = arith.addf %s, %bias : f32
    rop.yield %r : f32
  } -> !gates
  %h1, %c1, %y1 = rop.generic bounds [20]
      maps [affine_map<(u)[p, t] -> (0, u)>, affine_map<(u)[p, t] -> (1, u)>, affine_map<(u)[p, t] -> (2, u)>,
            affine_map<(u)[p, t] -> (3, u)>, affine_map<(u)[p, t] -> (p * 20 + u)>,
            affine_map<(u)[p, t] -> (t + 1, p * 20 + u)>, affine_map<(u)[p, t] -> (p * 20 + u)>,
            affine_map<(u)[p, t] -> (t, p * 20 + u)>]
      ins(%sums, %sums, %sums, %sums, %c : !gates, !gates, !gates, !gates, !cells)
      into(%h0, %c0, %y0 : !states, !cells, !rows) at(%p, %t) {
  ^bb1(%i: f32, %o: f32, %f: f32, %g: f32, %cell: f32):
    %unity = arith.constant 1.0 : f32
    %minus_i = arith.negf %i : f32
    %exp_i = math.exp %minus_i : f32
    %below_i = arith.addf %exp_i, %unity : f32
    %open_i = arith.divf %unity, %below_i : f32
    %minus_o = arith.negf %o : f32
    %exp_o = math.exp %minus_o : f32
    %below_o = arith.addf %exp_o, %unity : f32
    %open_o = arith.divf %unity, %below_o : f32
    %minus_f = arith.negf %f : f32
    %exp_f = math.exp %minus_f : f32
    %below_f = arith.addf %exp_f, %unity : f32
    %open_f = arith.divf %unity, %below_f : f32
    %candidate = math.tanh %g : f32
    %kept = arith.mulf %open_f, %cell : f32
    %new = arith.mulf %open_i, %candidate : f32
    %next = arith.addf %kept, %new : f32
    %bounded = math.tanh %next : f32
    %state = arith.mulf %open_o, %bounded : f32
    rop.yield %state, %next, %state : f32, f32, f32
  } -> !states, !cells, !rows
  rtask.yield %h1, %c1, %y1 : !states, !cells, !rows
} implementation @cell1_body []

// Threads stage x and h, a warp a gate and unit multiplies, a thread a unit updates.
block.body @cell1_body threads 640 {
^bb0(%task: index, %t: index, %x: memref<?xf32, "words">, %h: !passed, %w: memref<?xf32, "pinned">,
     %b: memref<?xf32, "weights">, %c: !global, %h0: !passed, %c0: !global, %y: !global):
  %units = arith.constant 20 : index
  %hidden = arith.constant 256 : index
  %columns = arith.constant 512 : index
  %padded = arith.constant 260 : index
  %gate_rows = arith.constant 80 : index
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %three = arith.constant 3 : index
  %staged = memref.alloca() : !staged
  %sums = memref.alloca() : !sums
  %next_row = arith.addi %t, %one : index
  %source_row = arith.addi %t, %one : index
  %x_row = arith.muli %source_row, %hidden : index
  %h_row = arith.muli %t, %hidden : index
  %next_h_row = arith.muli %next_row, %hidden : index
  %first = arith.muli %task, %units : index
  block.parallel thread (%k) in %hidden {
    %from = arith.addi %x_row, %k : index
    %v = memref.load %x[%from] : memref<?xf32, "words">
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
    %i_row = arith.muli %zero, %units : index
    %i_at = arith.addi %i_row, %u : index
    %i_sum = memref.load %sums[%i_at] : !sums
    %i_bias_row = arith.muli %zero, %padded : index
    %i_bias_at = arith.addi %i_bias_row, %unit : index
    %i_bias = memref.load %b[%i_bias_at] : memref<?xf32, "weights">
    %i = arith.addf %i_sum, %i_bias : f32
    %o_row = arith.muli %one, %units : index
    %o_at = arith.addi %o_row, %u : index
    %o_sum = memref.load %sums[%o_at] : !sums
    %o_bias_row = arith.muli %one, %padded : index
    %o_bias_at = arith.addi %o_bias_row, %unit : index
    %o_bias = memref.load %b[%o_bias_at] : memref<?xf32, "weights">
    %o = arith.addf %o_sum, %o_bias : f32
    %f_row = arith.muli %two, %units : index
    %f_at = arith.addi %f_row, %u : index
    %f_sum = memref.load %sums[%f_at] : !sums
    %f_bias_row = arith.muli %two, %padded : index
    %f_bias_at = arith.addi %f_bias_row, %unit : index
    %f_bias = memref.load %b[%f_bias_at] : memref<?xf32, "weights">
    %f = arith.addf %f_sum, %f_bias : f32
    %g_row = arith.muli %three, %units : index
    %g_at = arith.addi %g_row, %u : index
    %g_sum = memref.load %sums[%g_at] : !sums
    %g_bias_row = arith.muli %three, %padded : index
    %g_bias_at = arith.addi %g_bias_row, %unit : index
    %g_bias = memref.load %b[%g_bias_at] : memref<?xf32, "weights">
    %g = arith.addf %g_sum, %g_bias : f32
    %cell = memref.load %c[%unit] : !global
    %unity = arith.constant 1.0 : f32
    %minus_i = arith.negf %i : f32
    %exp_i = math.exp %minus_i : f32
    %below_i = arith.addf %exp_i, %unity : f32
    %open_i = arith.divf %unity, %below_i : f32
    %minus_o = arith.negf %o : f32
    %exp_o = math.exp %minus_o : f32
    %below_o = arith.addf %exp_o, %unity : f32
    %open_o = arith.divf %unity, %below_o : f32
    %minus_f = arith.negf %f : f32
    %exp_f = math.exp %minus_f : f32
    %below_f = arith.addf %exp_f, %unity : f32
    %open_f = arith.divf %unity, %below_f : f32
    %candidate = math.tanh %g : f32
    %kept = arith.mulf %open_f, %cell : f32
    %new = arith.mulf %open_i, %candidate : f32
    %next = arith.addf %kept, %new : f32
    %bounded = math.tanh %next : f32
    %state = arith.mulf %open_o, %bounded : f32
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

!m_rows = memref<512x256xf32>
!m_states = memref<513x256xf32, "words">
!m_cells = memref<260xf32, "global">
!m_weights = memref<4x260x512xf32, "weights">
!m_biases = memref<4x260xf32, "weights">
!pinned = memref<4x20x512xf32, "pinned">

vdevice.program @main on @device inputs 1 names ["x", "y0", "y1", "n"]
    attributes {vdevice.lengths = {x = "n", y0 = "n", y1 = "n"}} {
^bb0(%x: !m_rows, %y0: !m_rows, %y1: !m_rows, %n: index):
  %w0 = vdevice.weight @u0 : !m_weights
  %w1 = vdevice.weight @u1 : !m_weights
  %b0 = vdevice.weight @b0 : !m_biases
  %b1 = vdevice.weight @b1 : !m_biases
  %h0 = vdevice.buffer : !m_states
  %h1 = vdevice.buffer : !m_states
  %c0 = vdevice.buffer : !m_cells
  %c1 = vdevice.buffer : !m_cells
  vdevice.launch veus 26 threads 640 service 0 ring 0 x 0 scratch 2368 pinned 163840 registers 96 {
    vdevice.group [0, 13] {
      %p0 = vdevice.pin %w0 box <(p) -> (0, p * 20, 0) by [4, 20, 512]> : !m_weights -> !pinned
      vdevice.run @init tasks [0, 13] place affine_map<(p) -> (p)> outs(%h0, %c0 : !m_states, !m_cells)
      vdevice.for %t in %n {
        vdevice.run @cell0 tasks [0, 13] place affine_map<(p) -> (p)>
            ins(%x, %h0, %p0, %b0, %c0 : !m_rows, !m_states, !pinned, !m_biases, !m_cells)
            outs(%h0, %c0, %y0 : !m_states, !m_cells, !m_rows) at(%t)
      }
    }
    vdevice.group [13, 26] {
      %p1 = vdevice.pin %w1 box <(p) -> (0, p * 20, 0) by [4, 20, 512]> : !m_weights -> !pinned
      vdevice.run @init tasks [0, 13] place affine_map<(p) -> (p)> outs(%h1, %c1 : !m_states, !m_cells)
      vdevice.for %t in %n {
        vdevice.run @cell1 tasks [0, 13] place affine_map<(p) -> (p)>
            ins(%h0, %h1, %p1, %b1, %c1 : !m_states, !m_states, !pinned, !m_biases, !m_cells)
            outs(%h1, %c1, %y1 : !m_states, !m_cells, !m_rows) at(%t)
      }
    }
  }
}
