// RUN: RAMMER_INVALID

// CHECK: a box needs a size for each of the 2 results of its origin
"test.op"() {a = #rtask.box<(i) -> (i, 0) by [8]>} : () -> ()

// -----

// CHECK: the sizes of a box must be positive, got {{\[}}8, 0{{\]}}
"test.op"() {a = #rtask.box<(i) -> (i, 0) by [8, 0]>} : () -> ()

// -----

// CHECK: a cost is a number that is not negative, got -1.0
"test.op"() {a = #rtask.cost<-1.0 us from "x">} : () -> ()

// -----

// CHECK: a cost is a number that is not negative, got inf
"test.op"() {a = #rtask.cost<1.0e999 us from "x">} : () -> ()

// -----

// CHECK: x and w are inputs 0 and 1 of a contraction, not 0 and 0
"test.op"() {a = #rtask.contraction<x 0 w 0 m [1] n 0 k [2] checked [] channels false chunks 1>} : () -> ()

// -----

// CHECK: a contraction has one or two dimensions m, at least one k and at most two that are checked
"test.op"() {a = #rtask.contraction<x 0 w 1 m [] n 0 k [2] checked [] channels false chunks 1>} : () -> ()

// -----

// CHECK: a contraction has one or two dimensions m, at least one k and at most two that are checked
"test.op"() {a = #rtask.contraction<x 0 w 1 m [1, 2, 3] n 0 k [4] checked [] channels false chunks 1>} : () -> ()

// -----

// CHECK: a contraction has one or two dimensions m, at least one k and at most two that are checked
"test.op"() {a = #rtask.contraction<x 0 w 1 m [1] n 0 k [] checked [] channels false chunks 1>} : () -> ()

// -----

// CHECK: a contraction has one or two dimensions m, at least one k and at most two that are checked
"test.op"() {a = #rtask.contraction<x 0 w 1 m [1] n 0 k [2] checked [0, 1, 2] channels false chunks 1>} : () -> ()

// -----

// CHECK: a dimension has one role in a contraction
"test.op"() {a = #rtask.contraction<x 0 w 1 m [1] n 1 k [2] checked [] channels false chunks 1>} : () -> ()

// -----

// CHECK: a dimension has one role in a contraction
"test.op"() {a = #rtask.contraction<x 0 w 1 m [1] n 0 k [2] checked [3, 3] channels false chunks 1>} : () -> ()

// -----

// CHECK: the dimensions of a contraction count from 0
"test.op"() {a = #rtask.contraction<x 0 w 1 m [-1] n 0 k [2] checked [] channels false chunks 1>} : () -> ()

// -----

// CHECK: a contraction takes at least one chunk of W, got 0
"test.op"() {a = #rtask.contraction<x 0 w 1 m [1] n 0 k [2] checked [] channels false chunks 0>} : () -> ()

// -----

// CHECK: x and w are inputs 0 and 1 of a product, not 1 and 1
"test.op"() {a = #rtask.matrix_vector<x 1 w 1 m [] n 0 k [2] chunks 1>} : () -> ()

// -----

// CHECK: a dimension has one role in a matrix-vector product, and at least one is summed
"test.op"() {a = #rtask.matrix_vector<x 0 w 1 m [0] n 0 k [2] chunks 1>} : () -> ()

// -----

// CHECK: a dimension has one role in a matrix-vector product, and at least one is summed
"test.op"() {a = #rtask.matrix_vector<x 0 w 1 m [] n 0 k [] chunks 1>} : () -> ()

// -----

// CHECK: a matrix-vector product takes at least one chunk of W, got 0
"test.op"() {a = #rtask.matrix_vector<x 0 w 1 m [] n 0 k [1] chunks 0>} : () -> ()

// -----

// CHECK: 'rtask.yield' expects parent op to be one of 'rtask.kernel', 'rtask.alternatives'
rtask.yield

// -----

// CHECK: the grid of a kernel must be positive, got {{\[}}{{\]}}
rtask.kernel @k grid [] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: the grid of a kernel must be positive, got {{\[}}0{{\]}}
rtask.kernel @k grid [0] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: a kernel writes at least one tensor
rtask.kernel @k grid [4] reads [] writes [] {
^bb0(%i: index):
  rtask.yield
}

// -----

// CHECK: a kernel takes at most one loop index, got 2
rtask.kernel @k grid [4] loops 2 reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: the region must take coordinates, loop index, and one tensor for every box
rtask.kernel @k grid [4] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: coordinates and loop index must be of type index
rtask.kernel @k grid [4] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: i32, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: coordinates and loop index must be of type index
rtask.kernel @k grid [4] loops 1 reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %t: i32, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: a kernel reads and writes tensors, not f32
rtask.kernel @k grid [4] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %y: f32):
  rtask.yield %y : f32
}

// -----

// CHECK: box #rtask.box<(d0) -> ((d0 * 8)) by {{\[}}8{{\]}}> does not have the rank of tensor<30x2xf32>
rtask.kernel @k grid [4] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %y: tensor<30x2xf32>):
  rtask.yield %y : tensor<30x2xf32>
}

// -----

// CHECK: box #rtask.box<(d0) -> ((d0 * 8)) by {{\[}}8{{\]}}> must map 1 coordinates and 1 loop indices to an origin
rtask.kernel @k grid [4] loops 1 reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %t: index, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: box #rtask.box<(d0, d1) -> (d0) by {{\[}}8{{\]}}> must map 1 coordinates and 0 loop indices to an origin
rtask.kernel @k grid [4] reads [] writes [#rtask.box<(i, j) -> (i) by [8]>] {
^bb0(%i: index, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}

// -----

// CHECK: the region must end with rtask.yield
rtask.kernel @k grid [4] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %y: tensor<30xf32>):
  "test.termop"() : () -> ()
}

// -----

// CHECK: the region must yield the tensors it writes
rtask.kernel @k grid [4] reads [] writes [#rtask.box<(i) -> (i * 8) by [8]>] {
^bb0(%i: index, %y: tensor<30xf32>):
  rtask.yield
}

// -----

// CHECK: parameters and constants belong to an implementation, and there is none
"rtask.kernel"() <{sym_name = "k", grid = array<i64: 4>, parameters = array<i64: 1>, reads = [], writes = [#rtask.box<(i) -> (i * 8) by [8]>]}> ({
^bb0(%i: index, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}) : () -> ()

// -----

// CHECK: parameters and constants belong to an implementation, and there is none
"rtask.kernel"() <{sym_name = "k", grid = array<i64: 4>, constants = [@c], reads = [], writes = [#rtask.box<(i) -> (i * 8) by [8]>]}> ({
^bb0(%i: index, %y: tensor<30xf32>):
  rtask.yield %y : tensor<30xf32>
}) : () -> ()

// -----

// CHECK: the results of a dispatch must have the types of the tensors it writes into
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.dispatch @k into(%y : tensor<4xf32>) -> tensor<8xf32>

// -----

// CHECK: the results of a dispatch must have the types of the tensors it writes into
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = "rtask.dispatch"(%y) <{kernel = @k, operandSegmentSizes = array<i32: 0, 1, 0>}> : (tensor<4xf32>) -> tensor<8xf32>

// -----

// CHECK: a dispatch writes at least one tensor
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
rtask.dispatch @k ins(%y : tensor<4xf32>)

// -----

// CHECK: a kernel takes at most one loop index, got 2
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.dispatch @k into(%y : tensor<4xf32>) at(%t, %t) -> tensor<4xf32>

// -----

// CHECK: waves count from 0, got -1
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.dispatch @k into(%y : tensor<4xf32>) wave -1 -> tensor<4xf32>

// -----

// CHECK: a placement must map the linear task index to one vEU
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.dispatch @k into(%y : tensor<4xf32>) place affine_map<(i, j) -> (i)> -> tensor<4xf32>

// -----

// CHECK: a placement must map the linear task index to one vEU
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.dispatch @k into(%y : tensor<4xf32>) place affine_map<(i)[s] -> (i)> -> tensor<4xf32>

// -----

// CHECK: a placement must map the linear task index to one vEU
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.dispatch @k into(%y : tensor<4xf32>) place affine_map<(i) -> (i, i)> -> tensor<4xf32>

// -----

// CHECK: alternatives need at least one candidate
%r = "rtask.alternatives"() : () -> tensor<4xf32>

// -----

// CHECK: alternatives need at least one result
rtask.alternatives {
  rtask.yield
}

// -----

// CHECK: candidate 1 must take the inputs of the alternatives
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.alternatives ins(%y : tensor<4xf32>) {
^bb0(%a: tensor<4xf32>):
  rtask.yield %a : tensor<4xf32>
}, {
^bb1(%a: tensor<8xf32>):
  rtask.yield %a : tensor<8xf32>
} -> tensor<4xf32>

// -----

// CHECK: candidate 0 must yield the results of the alternatives
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.alternatives ins(%y : tensor<4xf32>) {
^bb0(%a: tensor<4xf32>):
  rtask.yield
} -> tensor<4xf32>

// -----

// CHECK: candidate 0 must yield the results of the alternatives
%t, %y = "test.op"() : () -> (index, tensor<4xf32>)
%r = rtask.alternatives ins(%y : tensor<4xf32>) {
^bb0(%a: tensor<4xf32>):
  "test.termop"() : () -> ()
} -> tensor<4xf32>

// -----

// CHECK: is not all of tensor<8xf32>, read at computed indices
rtask.kernel @k grid [2] reads [#rtask.box<(i) -> (i * 4) by [4]>] writes [#rtask.box<(i) -> (i * 4) by [4]>] {
^bb0(%i: index, %x: tensor<8xf32>, %y: tensor<8xf32>):
  %r = rop.generic bounds [4] maps [affine_map<(d)[i] -> (i * 4 + d)>] into(%y : tensor<8xf32>) at(%i) {
    %n = rop.index 0
    %e = rop.extract %x[%n] : tensor<8xf32>
    rop.yield %e : f32
  } -> tensor<8xf32>
  rtask.yield %r : tensor<8xf32>
}

// -----

// CHECK: a kernel reads at computed indices of the tensors that it reads, no others
rtask.kernel @k grid [2] reads [] writes [#rtask.box<(i) -> (i * 4) by [4]>] {
^bb0(%i: index, %y: tensor<8xf32>):
  %x = tensor.empty() : tensor<8xf32>
  %r = rop.generic bounds [4] maps [affine_map<(d)[i] -> (i * 4 + d)>] into(%y : tensor<8xf32>) at(%i) {
    %n = rop.index 0
    %e = rop.extract %x[%n] : tensor<8xf32>
    rop.yield %e : f32
  } -> tensor<8xf32>
  rtask.yield %r : tensor<8xf32>
}
