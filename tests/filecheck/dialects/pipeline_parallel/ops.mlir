// RUN: RAMMER_ROUNDTRIP
// RUN: rammer-opt %s | rammer-opt | filecheck %s

// Two ranks share stage 0 and a micro-batch; stage 1 puts their rows together.
pipeline_parallel.program @train batch 8 attributes {note} {
  pipeline_parallel.stage 0 states [0, 21] ranks [0, 1]
  pipeline_parallel.stage 1 states [22, 40] ranks [2] recompute {note}
  pipeline_parallel.rank 0 stage 0 attributes {note} {
    pipeline_parallel.forward 0 rows [0, 2] {note}
    pipeline_parallel.send activation 0 rows [0, 2] to 2
    pipeline_parallel.forward 1 rows [4, 6]
    pipeline_parallel.send activation 1 rows [4, 6] to 2
    pipeline_parallel.receive gradient 0 rows [0, 2] from 2
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.receive gradient 1 rows [4, 6] from 2
    pipeline_parallel.backward 1 rows [4, 6]
    pipeline_parallel.all_reduce
  }
  pipeline_parallel.rank 1 stage 0 {
    pipeline_parallel.forward 0 rows [2, 4]
    pipeline_parallel.send activation 0 rows [2, 4] to 2
    pipeline_parallel.forward 1 rows [6, 8]
    pipeline_parallel.send activation 1 rows [6, 8] to 2
    pipeline_parallel.receive gradient 0 rows [2, 4] from 2
    pipeline_parallel.backward 0 rows [2, 4]
    pipeline_parallel.receive gradient 1 rows [6, 8] from 2
    pipeline_parallel.backward 1 rows [6, 8]
    pipeline_parallel.all_reduce
  }
  pipeline_parallel.rank 2 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.receive activation 0 rows [2, 4] from 1
    pipeline_parallel.forward 0 rows [0, 4]
    pipeline_parallel.receive activation 1 rows [4, 6] from 0
    pipeline_parallel.receive activation 1 rows [6, 8] from 1
    pipeline_parallel.backward 0 rows [0, 4]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
    pipeline_parallel.send gradient 0 rows [2, 4] to 1
    pipeline_parallel.forward 1 rows [4, 8]
    pipeline_parallel.backward 1 rows [4, 8]
    pipeline_parallel.send gradient 1 rows [4, 6] to 0
    pipeline_parallel.send gradient 1 rows [6, 8] to 1
  }
}

// CHECK:      pipeline_parallel.program @train batch 8 attributes {note} {
// CHECK-NEXT:   pipeline_parallel.stage 0 states [0, 21] ranks [0, 1]
// CHECK-NEXT:   pipeline_parallel.stage 1 states [22, 40] ranks [2] recompute {note}
// CHECK-NEXT:   pipeline_parallel.rank 0 stage 0 attributes {note} {
// CHECK-NEXT:     pipeline_parallel.forward 0 rows [0, 2] {note}
// CHECK-NEXT:     pipeline_parallel.send activation 0 rows [0, 2] to 2
// CHECK:          pipeline_parallel.receive gradient 1 rows [4, 6] from 2
// CHECK-NEXT:     pipeline_parallel.backward 1 rows [4, 6]
// CHECK-NEXT:     pipeline_parallel.all_reduce
// CHECK-NEXT:   }
// CHECK:        pipeline_parallel.rank 2 stage 1 {
// CHECK-NEXT:     pipeline_parallel.receive activation 0 rows [0, 2] from 0
