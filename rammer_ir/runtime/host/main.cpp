// A program as an executable of its own, for tools that watch a whole process: main DATA OUTPUT RUNS TIMEOUT_SECONDS.
//
// DATA is a sequence of sections, each a 64-byte header that starts with the section's size in bytes, then the section,
// padded to 64 bytes; rammer_ir/runtime/host/executable.py writes it. The outputs of the last run go to OUTPUT.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <vector>

#include "tables.hpp"

namespace {

constexpr int64_t kSectionAlignment = 64;

int64_t padded(int64_t bytes) { return (bytes + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment; }

class Sections {
  public:
    explicit Sections(const char* path) {
        std::ifstream file(path, std::ios::binary | std::ios::ate);
        const int64_t bytes = file.tellg();
        memory_ = static_cast<char*>(aligned_alloc(kSectionAlignment, padded(bytes)));
        next_ = memory_;
        file.seekg(0);
        file.read(memory_, bytes);
    }
    ~Sections() { free(memory_); }
    Sections(const Sections&) = delete;
    Sections& operator=(const Sections&) = delete;

    template <class T>
    T* take(int64_t* count = nullptr) {
        const int64_t bytes = *reinterpret_cast<const int64_t*>(next_);
        char* const section = next_ + kSectionAlignment;
        if (count != nullptr) *count = bytes / static_cast<int64_t>(sizeof(T));
        next_ = section + padded(bytes);
        return reinterpret_cast<T*>(section);
    }

  private:
    char* memory_;
    char* next_;
};

// Bytes of each output.
std::vector<std::vector<char>> allocate_outputs(Sections& sections) {
    int64_t count = 0;
    const int64_t* const bytes = sections.take<int64_t>(&count);
    std::vector<std::vector<char>> outputs;
    for (int64_t i = 0; i < count; ++i) outputs.emplace_back(bytes[i], '\xff');
    return outputs;
}

int fail(const rammer::Failure& failure) {
    fprintf(stderr, "failure %" PRId64 " at counter %" PRId64 ", vEU %" PRId64 ", instruction %" PRId64 "\n", failure.kind,
            failure.counter, failure.veu, failure.instruction);
    return 1;
}

}  // namespace

int main(int argument_count, char** arguments) {
    if (argument_count != 5) {
        fprintf(stderr, "usage: %s DATA OUTPUT RUNS TIMEOUT_SECONDS\n", arguments[0]);
        return 2;
    }
    Sections sections(arguments[1]);
    rammer::Tables tables{};
    tables.sizes = sections.take<rammer::Sizes>();
    tables.instructions = sections.take<int32_t>();
    tables.descriptors = sections.take<int32_t>();
    tables.launches = sections.take<rammer::LaunchTable>();
    tables.streams = sections.take<int32_t>();
    tables.loops = sections.take<rammer::HostLoopTable>();
    tables.weights = sections.take<char>();
    const int32_t* const scalars = sections.take<int32_t>();
    std::vector<std::vector<char>> outputs = allocate_outputs(sections);
    std::vector<char*> bindings;
    const int64_t inputs = tables.sizes->bindings - static_cast<int64_t>(outputs.size());
    for (int64_t i = 0; i < inputs; ++i) bindings.push_back(sections.take<char>());
    for (std::vector<char>& output : outputs) bindings.push_back(output.data());

    char message[256] = {};
    RammerProgram* const program = rammer_create(&tables, message, sizeof message);
    if (program == nullptr) {
        fprintf(stderr, "%s\n", message);
        return 1;
    }
    rammer::Failure failure{};
    const int64_t timeout_ns = static_cast<int64_t>(atof(arguments[4]) * 1e9);
    for (int64_t run = atoll(arguments[3]); run > 0 && failure.kind == rammer::kNone; --run) {
        rammer_run(program, bindings.data(), scalars, timeout_ns, &failure);
    }
    rammer_destroy(program);
    if (failure.kind != rammer::kNone) return fail(failure);
    std::ofstream file(arguments[2], std::ios::binary);
    for (const std::vector<char>& output : outputs) file.write(output.data(), static_cast<int64_t>(output.size()));
    file.close();
    return file ? 0 : 1;
}
