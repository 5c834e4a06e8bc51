// RUN: RAMMER_INVALID

// CHECK: rows are a range [first, end) that holds at least one
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [2, 2]
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: rows are a range [first, end) that holds at least one
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [2, 1] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: Expected `activation`, or `gradient`
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send weights 0 rows [0, 2] to 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: the states of a stage are a first and a last one
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [3, 0] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: a stage has ranks, numbered from 0
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks []
}

// -----

// CHECK: a stage has ranks, numbered from 0
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [-1]
}

// -----

// CHECK: 'pipeline_parallel.stage' expects parent op 'pipeline_parallel.program'
pipeline_parallel.stage 0 states [0, 3] ranks [0]

// -----

// CHECK: 'pipeline_parallel.rank' expects parent op 'pipeline_parallel.program'
pipeline_parallel.rank 0 stage 0 {
  pipeline_parallel.all_reduce
}

// -----

// CHECK: a program holds stages and ranks, and nothing else
pipeline_parallel.program @train batch 2 {
  "test.op"() : () -> ()
}

// -----

// CHECK: a rank holds forward, backward, send, receive and all_reduce, and nothing else
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    "test.op"() : () -> ()
  }
}

// -----

// CHECK: a program has a stage at least, and a rank is of one stage
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
  }
}

// -----

// CHECK: a program has a stage at least, and a rank is of one stage
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: stages are numbered from 0 and hold all states in order
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [3, 4] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: stages are numbered from 0 and hold all states in order
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 1 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 1 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: every rank of a stage has one list of instructions, and no other rank has any
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: every rank of a stage has one list of instructions, and no other rank has any
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 0 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: the ranks of stage 0 do not compute each of the 4 rows once
pipeline_parallel.program @train batch 4 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: rank 1 receives activation 0 rows [0, 2] behind the pass that needs it
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 1 does not receive each row of the activation 0 that it needs once
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 1] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 0 does not receive each row of the gradient 0 that it needs once
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 0 sends activation 0 rows [0, 2] which it has not computed
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 0 sends activation 0 rows [0, 3] which it has not computed
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 3] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 0 has a forward pass without a backward pass
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
  }
}

// -----

// CHECK: rank 0 runs a pass of micro-batch 0 twice
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
  }
}

// -----

// CHECK: rank 0 has no forward pass of the same rows in front of the backward pass of micro-batch 0
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 1]
  }
}

// -----

// CHECK: rank 0 and rank 1 are not of stages between which gradients travel so
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 1
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 0 and rank 7 are not of stages between which activations travel so
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 7
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 0 has 0 all_reduce, where its stage needs 1
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0, 1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 1]
    pipeline_parallel.backward 0 rows [0, 1]
  }
  pipeline_parallel.rank 1 stage 0 {
    pipeline_parallel.forward 0 rows [1, 2]
    pipeline_parallel.backward 0 rows [1, 2]
    pipeline_parallel.all_reduce
  }
}

// -----

// CHECK: rank 0 has 1 all_reduce, where its stage needs 0
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.all_reduce
  }
}

// -----

// CHECK: rank 0 adds up gradients in front of its last backward pass
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 3] ranks [0, 1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 1]
    pipeline_parallel.all_reduce
    pipeline_parallel.backward 0 rows [0, 1]
  }
  pipeline_parallel.rank 1 stage 0 {
    pipeline_parallel.forward 0 rows [1, 2]
    pipeline_parallel.backward 0 rows [1, 2]
    pipeline_parallel.all_reduce
  }
}

// -----

// CHECK: rank 1 receives activation 0 rows [0, 2] that rank 0 does not send
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 0 sends activation 0 rows [0, 2] that rank 1 does not receive
pipeline_parallel.program @train batch 2 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
  }
}

// -----

// CHECK: rank 1 receives activation 0 rows [0, 2] from rank 0 where activation 1 rows [2, 4] is sent
pipeline_parallel.program @train batch 4 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.forward 1 rows [2, 4]
    pipeline_parallel.send activation 1 rows [2, 4] to 1
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.receive gradient 1 rows [2, 4] from 1
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.backward 1 rows [2, 4]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.receive activation 1 rows [2, 4] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
    pipeline_parallel.forward 1 rows [2, 4]
    pipeline_parallel.backward 1 rows [2, 4]
    pipeline_parallel.send gradient 1 rows [2, 4] to 0
  }
}

// -----

// Each waits for what the other does behind its own wait.
// CHECK: a deadlock: rank 0 waits for ever with pipeline_parallel.backward of micro-batch 0
pipeline_parallel.program @train batch 4 {
  pipeline_parallel.stage 0 states [0, 1] ranks [0]
  pipeline_parallel.stage 1 states [2, 3] ranks [1]
  pipeline_parallel.rank 0 stage 0 {
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.send activation 0 rows [0, 2] to 1
    pipeline_parallel.receive gradient 0 rows [0, 2] from 1
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.forward 1 rows [2, 4]
    pipeline_parallel.send activation 1 rows [2, 4] to 1
    pipeline_parallel.receive gradient 1 rows [2, 4] from 1
    pipeline_parallel.backward 1 rows [2, 4]
  }
  pipeline_parallel.rank 1 stage 1 {
    pipeline_parallel.receive activation 0 rows [0, 2] from 0
    pipeline_parallel.forward 0 rows [0, 2]
    pipeline_parallel.receive activation 1 rows [2, 4] from 0
    pipeline_parallel.forward 1 rows [2, 4]
    pipeline_parallel.backward 0 rows [0, 2]
    pipeline_parallel.send gradient 0 rows [0, 2] to 0
    pipeline_parallel.backward 1 rows [2, 4]
    pipeline_parallel.send gradient 1 rows [2, 4] to 0
  }
}
