// RUN: rammer-opt %s -p convert-block-to-cuda -t cuda | filecheck %s
// RUN: rammer-opt %s -p convert-block-to-scf -t host | filecheck %s

// Numbers of 16 bits: every result is rounded at once, also where it has no name; constants are converted.
block.body @scale threads 32 {
^bb0(%task: index, %t: index, %x: memref<?xf16, "global">, %y: memref<?xbf16, "global">, %n: index):
  block.parallel thread (%i) in %n {
    %a = memref.load %x[%i] : memref<?xf16, "global">
    %half = arith.constant 0.5 : f16
    %p = arith.mulf %a, %half : f16
    %q = arith.addf %p, %a : f16
    %r = math.exp %q : f16
    %s = arith.extf %r : f16 to f32
    %z = arith.truncf %s : f32 to bf16
    memref.store %z, %y[%i] : memref<?xbf16, "global">
  }
  block.yield
}

// CHECK:      #ifndef RAMMER_HALF
// CHECK:      using Half = TwoBytes<HalfFormat>;
// CHECK:        const rammer::Half* x = rammer::operand<const rammer::Half>(task, 0);
// CHECK-NEXT:   rammer::BFloat16* y = rammer::operand<rammer::BFloat16>(task, 1);
// CHECK:          const rammer::Half a = rammer::load(x + i);
// CHECK-NEXT:     const rammer::Half p = static_cast<rammer::Half>(a * static_cast<rammer::Half>(0.5f));
// CHECK-NEXT:     const rammer::Half r = static_cast<rammer::Half>(expf(static_cast<rammer::Half>(p + a)));
// CHECK-NEXT:     y[i] = static_cast<rammer::BFloat16>(float(r));
