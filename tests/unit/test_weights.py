"""The weight store: hashes, sharing, packing, and derived weights."""

import hashlib
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from xdsl.dialects.builtin import ModuleOp

from rammer_ir.context import new_context
from rammer_ir.errors import InvalidInputError, VerificationError
from rammer_ir.parsing import parse_module
from rammer_ir.weights.recipes import evaluate_recipes, weights_read
from rammer_ir.weights.store import WeightStore, content_hash


def normal(*shape: int, seed: int = 0) -> NDArray[Any]:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


class TestStore:
    def test_hash_is_that_of_the_bytes(self) -> None:
        array = normal(2, 3)
        assert content_hash(array) == hashlib.sha256(array.tobytes()).hexdigest()[:32]
        assert content_hash(array) == content_hash(array.reshape(3, 2))
        assert content_hash(array) != content_hash(array.T)
        assert content_hash(array.T) == hashlib.sha256(array.T.tobytes()).hexdigest()[:32]

    @pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64, np.bool_, np.int8, np.int64])
    def test_keeps_dtype_and_shape(self, dtype: Any) -> None:
        array = np.arange(6).reshape(2, 3).astype(dtype)
        weights = WeightStore()
        weights.add("w", array)
        assert weights["w"].dtype == array.dtype
        np.testing.assert_array_equal(weights["w"], array)

    def test_takes_numbers_and_views(self) -> None:
        weights = WeightStore()
        weights.add("number", np.asarray(2.5, np.float32))
        weights.add("view", normal(4, 6)[::2, ::-1])
        assert weights["number"].shape == ()
        np.testing.assert_array_equal(weights["view"], normal(4, 6)[::2, ::-1])

    def test_does_not_copy(self) -> None:
        data = normal(100).tobytes()
        array = np.frombuffer(data, np.float32)
        weights = WeightStore()
        weights.add("w", array)
        assert np.shares_memory(weights["w"], array)

    def test_shares_equal_contents(self) -> None:
        weights = WeightStore()
        weights.add("a", normal(6))
        weights.add("b", normal(6).reshape(2, 3))
        assert np.shares_memory(weights["a"], weights["b"])
        assert weights.hash_of("a") == weights.hash_of("b")
        assert weights["b"].shape == (2, 3)

    def test_is_read_only(self) -> None:
        weights = WeightStore()
        weights.add("w", normal(3))
        with pytest.raises(ValueError, match="read-only"):
            weights["w"][0] = 1

    def test_one_content_a_symbol(self) -> None:
        weights = WeightStore()
        weights.add("w", normal(3))
        weights.add("w", normal(3))
        with pytest.raises(ValueError, match="@w has other contents"):
            weights.add("w", normal(3, seed=1))

    def test_retain(self) -> None:
        weights = WeightStore()
        weights.add("a", normal(3))
        weights.add("b", normal(3))
        weights.retain(["b"])
        assert list(weights) == ["b"]
        np.testing.assert_array_equal(weights["b"], normal(3))


class TestPacking:
    @given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.randoms(use_true_random=False))
    def test_offsets_and_contents(self, sizes: list[int], random: Any) -> None:
        weights = WeightStore()
        for position, size in enumerate(sizes):
            weights.add(f"w{position}", normal(size, seed=position % 3))
        order = list(weights)
        random.shuffle(order)
        offsets, arena = weights.pack(order)
        assert arena.ctypes.data % 256 == 0
        assert arena.size % 256 == 0
        places: dict[str, int] = {}
        end = 0
        for symbol in order:
            assert offsets[symbol] % 256 == 0
            array = weights[symbol]
            np.testing.assert_array_equal(arena[offsets[symbol] :][: array.nbytes].view(np.float32), array)
            if weights.hash_of(symbol) in places:
                assert offsets[symbol] == places[weights.hash_of(symbol)]
            else:
                assert offsets[symbol] == end
                end += -(-array.nbytes // 256) * 256
            places[weights.hash_of(symbol)] = offsets[symbol]
        assert arena.size == end

    def test_only_what_is_asked_for(self) -> None:
        weights = WeightStore()
        weights.add("a", normal(3))
        weights.add("b", normal(3, seed=1))
        offsets, arena = weights.pack(["b"])
        assert offsets == {"b": 0}
        assert arena.size == 256
        assert not arena[12:].any()

    def test_nothing(self) -> None:
        offsets, arena = WeightStore().pack([])
        assert not offsets
        assert arena.size == 0

    def test_unknown_symbol(self) -> None:
        with pytest.raises(InvalidInputError, match="no weight @none"):
            WeightStore().pack(["none"])


RECIPES = """
rop.weight @twice_twice : tensor<3xf32> {
  %w = rop.get_weight @twice : tensor<3xf32>
  %r = rop.generic bounds [3] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%w : tensor<3xf32>) {
  ^bb0(%a: f32):
    %b = arith.addf %a, %a : f32
    rop.yield %b : f32
  } -> tensor<3xf32>
  rop.yield %r : tensor<3xf32>
}
rop.weight @twice : tensor<3xf32> {
  %w = rop.get_weight @source : tensor<3xf32>
  %r = rop.generic bounds [3] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] ins(%w : tensor<3xf32>) {
  ^bb0(%a: f32):
    %b = arith.addf %a, %a : f32
    rop.yield %b : f32
  } -> tensor<3xf32>
  rop.yield %r : tensor<3xf32>
}
rop.weight @source : tensor<3xf32> hash "00"
"""


class MemoryCache:
    def __init__(self) -> None:
        self.entries: dict[str, bytes] = {}
        self.puts = 0

    def get(self, key: str) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: str, data: bytes) -> None:
        self.entries[key] = data
        self.puts += 1


class TestRecipes:
    def module(self, text: str = RECIPES) -> ModuleOp:
        return parse_module(new_context(), text)

    def store(self, source: Any) -> WeightStore:
        weights = WeightStore()
        weights.add("source", np.asarray(source, np.float32))
        return weights

    def test_values_in_any_order_of_text(self) -> None:
        weights = self.store([1, 2, 3])
        evaluate_recipes(self.module(), weights)
        np.testing.assert_array_equal(weights["twice"], [2, 4, 6])
        np.testing.assert_array_equal(weights["twice_twice"], [4, 8, 12])

    def test_only_what_is_needed(self) -> None:
        weights = self.store([1, 2, 3])
        evaluate_recipes(self.module(), weights, needed=["twice"])
        assert "twice_twice" not in weights
        evaluate_recipes(self.module(), weights, needed=["source", "twice_twice"])
        np.testing.assert_array_equal(weights["twice_twice"], [4, 8, 12])

    def test_again_is_the_same(self) -> None:
        weights = self.store([1, 2, 3])
        evaluate_recipes(self.module(), weights)
        before = weights["twice"]
        evaluate_recipes(self.module(), weights)
        assert np.shares_memory(weights["twice"], before)

    def test_cache(self) -> None:
        cache = MemoryCache()
        evaluate_recipes(self.module(), self.store([1, 2, 3]), cache)
        assert cache.puts == 2
        weights = self.store([1, 2, 3])
        for key in cache.entries:
            cache.entries[key] = np.asarray([7, 7, 7], np.float32).tobytes()
        evaluate_recipes(self.module(), weights, cache)
        np.testing.assert_array_equal(weights["twice"], [7, 7, 7])

    def test_key_is_recipe_and_content_not_names(self) -> None:
        cache = MemoryCache()
        evaluate_recipes(self.module(), self.store([1, 2, 3]), cache)
        renamed = WeightStore()
        renamed.add("other", np.asarray([1, 2, 3], np.float32))
        evaluate_recipes(self.module(RECIPES.replace("source", "other").replace("twice", "double")), renamed, cache)
        assert cache.puts == 2
        evaluate_recipes(self.module(), self.store([1, 2, 4]), cache)
        assert cache.puts == 4
        evaluate_recipes(self.module(RECIPES.replace("addf", "mulf")), self.store([1, 2, 3]), cache)
        assert cache.puts == 6

    def test_key_tells_operands_apart(self) -> None:
        recipe = """
        rop.weight @difference : tensor<3xf32> {{
          %0 = rop.get_weight @a : tensor<3xf32>
          %1 = rop.get_weight @b : tensor<3xf32>
          %2 = rop.generic bounds [3] maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>, affine_map<(i) -> (i)>]
              ins({operands} : tensor<3xf32>, tensor<3xf32>) {{
          ^bb0(%3: f32, %4: f32):
            %5 = arith.subf %3, %4 : f32
            rop.yield %5 : f32
          }} -> tensor<3xf32>
          rop.yield %2 : tensor<3xf32>
        }}
        rop.weight @a : tensor<3xf32> hash "00"
        rop.weight @b : tensor<3xf32> hash "01"
        """
        cache = MemoryCache()
        for operands, expected in (("%0, %1", [-3, -3, -3]), ("%1, %0", [3, 3, 3])):
            weights = WeightStore()
            weights.add("a", np.asarray([1, 2, 3], np.float32))
            weights.add("b", np.asarray([4, 5, 6], np.float32))
            evaluate_recipes(self.module(recipe.format(operands=operands)), weights, cache)
            np.testing.assert_array_equal(weights["difference"], expected)

    def test_key_ignores_names_of_values(self) -> None:
        cache = MemoryCache()
        evaluate_recipes(self.module(), self.store([1, 2, 3]), cache)
        evaluate_recipes(self.module(RECIPES.replace("%a", "%element")), self.store([1, 2, 3]), cache)
        assert cache.puts == 2

    def test_damaged_entry(self) -> None:
        cache = MemoryCache()
        evaluate_recipes(self.module(), self.store([1, 2, 3]), cache)
        for key in cache.entries:
            cache.entries[key] = b"short"
        weights = self.store([1, 2, 3])
        evaluate_recipes(self.module(), weights, cache)
        np.testing.assert_array_equal(weights["twice_twice"], [4, 8, 12])
        assert cache.puts == 4

    def test_cycle(self) -> None:
        module = self.module(RECIPES.replace("get_weight @source", "get_weight @twice_twice"))
        with pytest.raises(VerificationError, match=r"recipe of weight @twice.* needs itself"):
            evaluate_recipes(module, WeightStore())

    def test_unknown_source(self) -> None:
        module = self.module(RECIPES.replace('rop.weight @source : tensor<3xf32> hash "00"', ""))
        with pytest.raises(VerificationError, match="recipe of weight @twice reads @source, which does not exist"):
            evaluate_recipes(module, WeightStore())

    def test_order_of_use(self) -> None:
        assert weights_read(self.module()) == ["twice", "source"]
