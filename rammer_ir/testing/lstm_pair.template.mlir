// Two LSTM layers of $hidden units, each on $veus vEUs of its own, weights in shared memory; states pass $how.
!states = tensor<${states}x${hidden}xf32>
!rows = tensor<${steps}x${hidden}xf32>
!cells = tensor<${padded}xf32>
!weights = tensor<4x${padded}x${columns}xf32>
!biases = tensor<4x${padded}xf32>
!gates = tensor<4x${units}xf32>
!passed = memref<?xf32, "$space">
!global = memref<?xf32, "global">
!staged = memref<${columns}xf32, "shared">
!sums = memref<${gate_rows}xf32, "shared">

$device

// The state and the cell before the first step.
rtask.kernel @init grid [$veus] reads []
    writes [#rtask.box<(p) -> (0, p * $units) by [1, $units]>, #rtask.box<(p) -> (p * $units) by [$units]>] {
^bb0(%p: index, %h: !states, %c: !cells):
  %h1, %c1 = rop.generic bounds [$units] maps [affine_map<(u)[p] -> (0, p * $units + u)>, affine_map<(u)[p] -> (p * $units + u)>]
      into(%h, %c : !states, !cells) at(%p) {
    %zero = arith.constant 0.0 : f32
    rop.yield %zero, %zero : f32, f32
  } -> !states, !cells
  rtask.yield %h1, %c1 : !states, !cells
} implementation @init_body []

block.body @init_body threads $threads {
^bb0(%task: index, %t: index, %h: !passed, %c: !global):
  %units = arith.constant $units : index
  %hidden = arith.constant $hidden : index
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

$layers
!m_rows = memref<${steps}x${hidden}xf32>
!m_states = memref<${states}x${hidden}xf32, "$space">
!m_cells = memref<${padded}xf32, "global">
!m_weights = memref<4x${padded}x${columns}xf32, "weights">
!m_biases = memref<4x${padded}xf32, "weights">
!pinned = memref<4x${units}x${columns}xf32, "pinned">

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
  vdevice.launch veus $all_veus threads $threads service 0 ring 0 x 0 scratch $scratch pinned $pinned registers $registers {$events
    vdevice.group [0, $veus] {
      %p0 = vdevice.pin %w0 box <(p) -> (0, p * $units, 0) by [4, $units, $columns]> : !m_weights -> !pinned
      vdevice.run @init tasks [0, $veus] place affine_map<(p) -> (p)> outs(%h0, %c0 : !m_states, !m_cells)$signal0
      vdevice.for %t in %n {
        vdevice.run @cell0 tasks [0, $veus] place affine_map<(p) -> (p)>
            ins(%x, %h0, %p0, %b0, %c0 : !m_rows, !m_states, !pinned, !m_biases, !m_cells)
            outs(%h0, %c0, %y0 : !m_states, !m_cells, !m_rows) at(%t)$waits0$signal0
      }
    }
    vdevice.group [$veus, $all_veus] {
      %p1 = vdevice.pin %w1 box <(p) -> (0, p * $units, 0) by [4, $units, $columns]> : !m_weights -> !pinned
      vdevice.run @init tasks [0, $veus] place affine_map<(p) -> (p)> outs(%h1, %c1 : !m_states, !m_cells)$signal1
      vdevice.for %t in %n {
        vdevice.run @cell1 tasks [0, $veus] place affine_map<(p) -> (p)>
            ins(%h0, %h1, %p1, %b1, %c1 : !m_states, !m_states, !pinned, !m_biases, !m_cells)
            outs(%h1, %c1, %y1 : !m_states, !m_cells, !m_rows) at(%t)$waits1$signal1
      }
    }
  }
}
