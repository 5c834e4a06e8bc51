// RUN: rammer-opt %s -p 'set-device{device=h100}' | filecheck %s
// RUN: rammer-opt %s -p 'set-device{device=h200},set-device{device=host veus=3}' | filecheck %s --check-prefix=HOST
// RUN: not rammer-opt %s -p 'set-device{device=h101}' 2>&1 | filecheck %s --check-prefix=UNKNOWN
// RUN: not rammer-opt %s -p 'set-device{device=host veus=0}' 2>&1 | filecheck %s --check-prefix=NONE

// CHECK:      vdevice.device @h100 kind "cuda" veus 132 threads 1024 shared 232448 registers 65536
// CHECK-SAME:   barrier_us = 2.000000e+00 : f64
// CHECK-SAME:   source "{{.+}}"
// CHECK-NEXT: func.func @main

// HOST-NOT: @h200
// HOST:     vdevice.device @host kind "host" veus 3 threads 1024 shared 262144 registers {{[0-9]+}}

// UNKNOWN: error: pass set-device: unknown device 'h101': choose from h100, h200, host
// NONE:    error: pass set-device: a device has at least one vEU, got 0

func.func @main() {
  func.return
}
