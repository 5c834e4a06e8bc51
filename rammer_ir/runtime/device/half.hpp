// Numbers of 16 bits: what a kernel body has for f16 and bf16, on a CUDA device and on the host.
//
// They are kept in 16 bits and computed with as floats, one operation at a time, each result rounded to the nearest number
// of 16 bits (ties to even). For sums, products, quotients and roots that is the number that rounding the exact result
// gives: a float has more than twice as many digits. Printed before the bodies that need it.

#ifdef __CUDACC__
#define RAMMER_HALF_FUNCTION RAMMER_DEVICE
#else
#define RAMMER_HALF_FUNCTION inline
#endif

namespace rammer {

RAMMER_HALF_FUNCTION unsigned bits_of_float(float value) {
    unsigned bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

RAMMER_HALF_FUNCTION float float_of_bits(unsigned bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// The float nearest to zero from `value`, or, where that is another number, the one of the two around it whose last bit is
// set: it is rounded to fewer digits as `value` is.
RAMMER_HALF_FUNCTION float rounded_to_odd(double value) {
    const float nearest = static_cast<float>(value);
    if (!(nearest < value || nearest > value)) return nearest;  // Not a number, too.
    const unsigned bits = bits_of_float(nearest);
    const bool is_greater = value < 0 ? nearest < value : nearest > value;
    return float_of_bits((is_greater ? bits - 1 : bits) | 1u);
}

// 1 bit of sign, 5 of exponent, 10 of significand.
struct HalfFormat {
    static RAMMER_HALF_FUNCTION float decode(unsigned short number) {
#ifdef __CUDA_ARCH__
        float value;
        asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(number));
        return value;
#else
        const unsigned rest = number & 0x7fffu;
        // The factor makes up for the exponents' biases, and normalises numbers that are below the normal ones.
        const unsigned bits = bits_of_float(float_of_bits(rest << 13) * 0x1p112f);
        return float_of_bits((number & 0x8000u) << 16 | (rest >= 0x7c00u ? bits | 0x7f800000u : bits));
#endif
    }

    static RAMMER_HALF_FUNCTION unsigned short encode(float value) {
#ifdef __CUDA_ARCH__
        unsigned short number;
        asm("cvt.rn.f16.f32 %0, %1;" : "=h"(number) : "f"(value));
        return number;
#else
        const unsigned bits = bits_of_float(value), rest = bits & 0x7fffffffu, shifted = rest - 0x38000000u;
        const unsigned normal = (shifted + 0xfffu + (shifted >> 13 & 1u)) >> 13;
        // The last bit of numbers around a half is worth as much as that of the smallest of 16 bits.
        const unsigned small = bits_of_float(float_of_bits(rest) + 0.5f) - 0x3f000000u;
        const unsigned finite = rest < 0x38800000u ? small : rest < 0x47800000u ? normal : 0x7c00u;
        return static_cast<unsigned short>((bits >> 16 & 0x8000u) | (rest > 0x7f800000u ? 0x7e00u : finite));
#endif
    }
};

// The upper half of a float.
struct BFloat16Format {
    static RAMMER_HALF_FUNCTION float decode(unsigned short number) {
        return float_of_bits(static_cast<unsigned>(number) << 16);
    }

    static RAMMER_HALF_FUNCTION unsigned short encode(float value) {
        const unsigned bits = bits_of_float(value), nan = bits >> 16 | 0x40u;
        const unsigned rounded = (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
        return static_cast<unsigned short>((bits & 0x7fffffffu) > 0x7f800000u ? nan : rounded);
    }
};

template <typename Format>
class TwoBytes {
  public:
    TwoBytes() = default;
    RAMMER_HALF_FUNCTION TwoBytes(float value) : number_(Format::encode(value)) {}
    RAMMER_HALF_FUNCTION explicit TwoBytes(double value) : TwoBytes(rounded_to_odd(value)) {}
    template <typename Integer>
    RAMMER_HALF_FUNCTION explicit TwoBytes(Integer value) : TwoBytes(static_cast<float>(value)) {}
    RAMMER_HALF_FUNCTION operator float() const { return Format::decode(number_); }

  private:
    unsigned short number_;
};

using Half = TwoBytes<HalfFormat>;
using BFloat16 = TwoBytes<BFloat16Format>;

}  // namespace rammer
