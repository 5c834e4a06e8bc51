// C[b, m, n] = relu(sum_k X(b, m, k) W[k, n] + bias[n] + residual[b, m, n]), channels last: a convolution over [b, y, x, channel],
// or a matrix product (one tap), as the body printer is to emit it. k = (channel chunk, dy, dx, channel in the chunk), so
// that a chunk of BK rows of W is BK neighbouring elements of X at one tap, and reaches shared memory by 16-byte copies.
// The capitals are constants of the body (its kind); every other quantity is data.
//
// A task is one BM x BN tile. The role's threads form SLICES groups; each owns KS = BK / SLICES rows of every chunk, copies
// its own part of X and sums its own partial tile. At the end each slice gets the others' sums of its own part of the tile.

#ifndef BM
#define BM 64          // tile rows (m), a multiple of MT
#define BN 64          // tile columns (n), a multiple of 4 NT
#define BK 64          // rows of W in one slot of the ring
#define MT 8           // threads of a slice along m
#define NT 8           // threads of a slice along n
#define STAGES 3       // of X in shared memory
#endif
#ifndef RELU
#define RELU 1
#define RESIDUAL 0
#endif
#ifndef COPY_AT
#define COPY_AT 0      // the row at which the next chunk is copied
#endif
#ifndef A_WIDTH
#define A_WIDTH 2      // rows of k in one load of X
#endif
#ifndef WARP_M
#define WARP_M (MT < 8 ? MT : 8)  // threads of a warp along m
#endif

constexpr int TM = BM / MT, TN = BN / NT;               // a thread's tile: rows at_m + MT i, columns in pieces of 4
constexpr int SLICE_THREADS = MT * NT;
constexpr int SLICES = RAMMER_THREADS / SLICE_THREADS;
constexpr int KS = BK / SLICES;                         // rows of a chunk that one slice owns
constexpr int WARP_N = 32 / WARP_M;
constexpr int PITCH = KS + 4;                           // of a row of X in shared memory: 8 rows lie in 8 different bank groups
constexpr int UNITS = KS / 4;                           // copies of 16 bytes in a row
constexpr int COPY_ROWS = SLICE_THREADS / UNITS;        // rows that a slice copies at once
constexpr int COPIES = (BM + COPY_ROWS - 1) / COPY_ROWS;
constexpr int STAGE = COPIES * COPY_ROWS * PITCH;       // of a slice's part of X
constexpr int PART = TM * TN / SLICES;                  // elements of a thread's tile that it finishes
constexpr int WIDTH = PART % 4 == 0 ? 4 : PART % 2 == 0 ? 2 : 1;

template <int width>
struct alignas(4 * width) Vector {
  float at[width];
};

extern "C" __device__ void contraction(rammer::Task* task) {
  const float* input = rammer::operand<float>(task, 0);
  const float* bias = rammer::operand<float>(task, 2);
  float* output = rammer::operand<float>(task, 3);
  const int rows = rammer::parameter(task, 0);          // m: output pixels of an image
  const int columns = rammer::parameter(task, 1);       // n
  const int chunks = rammer::parameter(task, 2);
  const int channels = rammer::parameter(task, 3);      // elements between neighbouring pixels
  const int input_image = rammer::parameter(task, 4);   // elements of an input image
  const int output_width = rammer::parameter(task, 5);
  const int stride_y = rammer::parameter(task, 6);
  const int stride_x = rammer::parameter(task, 7);
  const int pad_y = rammer::parameter(task, 8);
  const int pad_x = rammer::parameter(task, 9);
  const int height = rammer::parameter(task, 10);
  const int width = rammer::parameter(task, 11);
  const int taps_y = rammer::parameter(task, 12);
  const int taps_x = rammer::parameter(task, 13);
  const int tiles_m = rammer::parameter(task, 14);
  const int tiles_n = rammer::parameter(task, 15);

  const int tile = rammer::quotient(task->index, tiles_n);
  const int tile_n = task->index - tile * tiles_n;
  const int image = rammer::quotient(tile, tiles_m);
  const int tile_m = tile - image * tiles_m;

  const int slice = rammer::thread() / SLICE_THREADS;
  const int thread = rammer::thread() % SLICE_THREADS;

  // This thread copies 16 bytes of COPIES rows of X.
  const int unit = thread % UNITS;
  const int copy_row = thread / UNITS;
  const float* from[COPIES];
  int y[COPIES], x[COPIES];
#pragma unroll
  for (int i = 0; i < COPIES; ++i) {
    const int m = tile_m * BM + copy_row + i * COPY_ROWS;
    const int line = rammer::quotient(m, output_width);
    y[i] = line * stride_y - pad_y;
    x[i] = (m - line * output_width) * stride_x - pad_x;
    from[i] = input + image * input_image + (y[i] * width + x[i]) * channels + slice * KS + unit * 4;
    // A row that does not exist is never inside.
    if (copy_row + i * COPY_ROWS >= BM || m >= rows) y[i] = -(1 << 20);
  }
  float* stages = rammer::scratch<float>(task) + slice * (STAGES * STAGE);
  float* to = stages + copy_row * PITCH + unit * 4;

  // The chunk that is copied next: its tap, and where that is relative to `from`.
  int dy = 0, dx = 0, offset = 0;
  const int next_line = (width - taps_x) * channels, next_channels = BK - taps_y * width * channels;

#define COPY_CHUNK(STAGE_NUMBER, MORE)                                                                                        \
  {                                                                                                                           \
    _Pragma("unroll") for (int i = 0; i < COPIES; ++i) {                                                                      \
      const bool inside = MORE && static_cast<unsigned>(y[i] + dy) < height && static_cast<unsigned>(x[i] + dx) < width;      \
      rammer::copy_async<16>(to + (STAGE_NUMBER) * STAGE + i * COPY_ROWS * PITCH, from[i] + offset, inside);                  \
    }                                                                                                                         \
    rammer::commit_copies();                                                                                                  \
    dx += 1;                                                                                                                  \
    offset += channels;                                                                                                       \
    if (dx == taps_x) {                                                                                                       \
      dx = 0;                                                                                                                 \
      dy += 1;                                                                                                                \
      offset += next_line;                                                                                                    \
    }                                                                                                                         \
    if (dy == taps_y) {                                                                                                       \
      dy = 0;                                                                                                                 \
      offset += next_channels;                                                                                                \
    }                                                                                                                         \
  }

#pragma unroll
  for (int stage = 0; stage < STAGES - 1; ++stage) COPY_CHUNK(stage, stage < chunks)

  // This thread computes TM x TN elements.
  //
  // The lanes of a warp are 8 x 4 such that neighbouring lanes read the same elements of one operand, and lanes 16 apart
  // those of the other: a 16-byte load of shared memory takes two cycles where lanes that share are 1, 4 or 16 apart, and
  // four where they are 8 apart.
  const int warp = thread / 32, lane = thread % 32;
  const int of_eight = lane / 2 % 8, of_four = lane % 2 + lane / 16 * 2;
  const int at_m = warp % (MT / WARP_M) * WARP_M + (WARP_M == 8 ? of_eight : of_four);
  const int at_n = warp / (MT / WARP_M) * WARP_N + (WARP_M == 8 ? of_four : of_eight);
  float sum[TM * TN];
#pragma unroll
  for (int e = 0; e < TM * TN; ++e) sum[e] = 0.0f;

  rammer::Ring ring(task);
  int read_stage = 0, write_stage = STAGES - 1;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const float* weights = ring.wait<float>() + slice * KS * BN + 4 * at_n;
    rammer::wait_copies<STAGES - 2>();
    rammer::group_barrier<SLICE_THREADS>(slice);
    const float* staged = stages + read_stage * STAGE + at_m * PITCH;
    // Two fragments of each operand: the next rows are read while these are multiplied.
    Vector<A_WIDTH> a[2][TM];
    Vector<4> b[2][TN / 4];
#define READ_A(K)                                                                                                            \
  _Pragma("unroll") for (int i = 0; i < TM; ++i) a[(K) / A_WIDTH % 2][i] =                                                   \
      *reinterpret_cast<const Vector<A_WIDTH>*>(staged + i * MT * PITCH + (K));
#define READ_B(K)                                                                                                            \
  _Pragma("unroll") for (int j = 0; j < TN / 4; ++j) b[(K) % 2][j] =                                                         \
      *reinterpret_cast<const Vector<4>*>(weights + (K) * BN + j * 4 * NT);
    READ_A(0)
    READ_B(0)
#pragma unroll
    for (int k = 0; k < KS; ++k) {
      if (k % A_WIDTH == 0 && k + A_WIDTH < KS) READ_A(k + A_WIDTH)
      if (k + 1 < KS) READ_B(k + 1)
      // Behind the first loads, whose latency they hide. Past the last chunk the copies write zeros that nobody reads:
      // cheaper than a branch around them.
      if (k == COPY_AT) COPY_CHUNK(write_stage, chunk + STAGES - 1 < chunks)
#pragma unroll
      for (int i = 0; i < TM; ++i) {
#pragma unroll
        for (int j = 0; j < TN; ++j) sum[i * TN + j] += a[k / A_WIDTH % 2][i].at[k % A_WIDTH] * b[k % 2][j / 4].at[j % 4];
      }
    }
    ring.release();
    read_stage = read_stage + 1 == STAGES ? 0 : read_stage + 1;
    write_stage = write_stage + 1 == STAGES ? 0 : write_stage + 1;
  }
  ring.close();

  // The thread finishes elements slice * PART ... of its tile, in vectors of WIDTH. Loads are issued early.
  const int first_m = tile_m * BM + at_m, first_n = tile_n * BN + 4 * at_n;
  Vector<WIDTH> biases[PART / WIDTH];
#if RESIDUAL
  const float* residual = rammer::operand<float>(task, 4);
  Vector<WIDTH> residuals[PART / WIDTH];
#endif
#pragma unroll
  for (int v = 0; v < PART / WIDTH; ++v) {
    const int element = slice * PART + v * WIDTH;
    const int n = first_n + element % TN / 4 * (4 * NT) + element % 4;
    biases[v] = rammer::load_weight(reinterpret_cast<const Vector<WIDTH>*>(bias + n));
#if RESIDUAL
    const int m = first_m + element / TN * MT;
    residuals[v] = Vector<WIDTH>{};
    if (m < rows && n < columns) {
      residuals[v] = rammer::load(reinterpret_cast<const Vector<WIDTH>*>(residual + (image * rows + m) * columns + n));
    }
#endif
  }

  Vector<WIDTH> part[PART / WIDTH];
#pragma unroll
  for (int owner = 0; owner < SLICES; ++owner) {
    if (owner == slice) {
#pragma unroll
      for (int e = 0; e < PART; ++e) part[e / WIDTH].at[e % WIDTH] = sum[owner * PART + e];
    }
  }
  if constexpr (SLICES > 1) {
    // [owner][one of the others][vector][thread]: neighbouring threads write and read neighbouring vectors.
    Vector<WIDTH>* exchange = rammer::scratch<Vector<WIDTH>>(task);
    rammer::wait_copies<0>();
    rammer::barrier();
#pragma unroll
    for (int owner = 0; owner < SLICES; ++owner) {
      if (owner != slice) {
        const int other = slice < owner ? slice : slice - 1;
        Vector<WIDTH>* there = exchange + ((owner * (SLICES - 1) + other) * (PART / WIDTH)) * SLICE_THREADS + thread;
#pragma unroll
        for (int v = 0; v < PART / WIDTH; ++v) {
          Vector<WIDTH> value;
#pragma unroll
          for (int w = 0; w < WIDTH; ++w) value.at[w] = sum[owner * PART + v * WIDTH + w];
          there[v * SLICE_THREADS] = value;
        }
      }
    }
    rammer::barrier();
    const Vector<WIDTH>* here = exchange + slice * ((SLICES - 1) * (PART / WIDTH) * SLICE_THREADS) + thread;
#pragma unroll
    for (int other = 0; other < SLICES - 1; ++other) {
#pragma unroll
      for (int v = 0; v < PART / WIDTH; ++v) {
        const Vector<WIDTH> value = here[(other * (PART / WIDTH) + v) * SLICE_THREADS];
#pragma unroll
        for (int w = 0; w < WIDTH; ++w) part[v].at[w] += value.at[w];
      }
    }
  } else {
    rammer::wait_copies<0>();
  }

#pragma unroll
  for (int v = 0; v < PART / WIDTH; ++v) {
    const int element = slice * PART + v * WIDTH;
    const int m = first_m + element / TN * MT;
    const int n = first_n + element % TN / 4 * (4 * NT) + element % 4;
#pragma unroll
    for (int w = 0; w < WIDTH; ++w) {
      float& value = part[v].at[w];
      value += biases[v].at[w];
#if RESIDUAL
      value += residuals[v].at[w];
#endif
#if RELU
      value = fmaxf(value, 0.0f);
#endif
    }
    if (m < rows && n < columns) *reinterpret_cast<Vector<WIDTH>*>(output + (image * rows + m) * columns + n) = part[v];
  }
}

extern "C" __device__ void contraction_service(rammer::Task* task) {
  const float* weights = rammer::operand<float>(task, 1);
  const int chunks = rammer::parameter(task, 2);
  const int tiles_n = rammer::parameter(task, 15);
  const int tile_n = task->index % tiles_n;
  for (int chunk = 0; chunk < chunks; ++chunk) {
    rammer::ring_push(task, weights + (tile_n * chunks + chunk) * (BK * BN), BK * BN * 4);
  }
}
