extension CounterRandom {
  /// `count` different integers of `0..<population`, ascending, every subset equally likely.
  ///
  /// - Complexity: O(`count`) memory whatever the population, O(`count` log `count`) time.
  package func sampleWithoutReplacement(count: Int, of population: Int64) -> [Int64] {
    trap(
      unless: count >= 0 && Int64(count) <= population, "sample: \(count) of \(population) integers"
    )
    var chosen = AlignedBuffer<Int64>(count: count)
    chosen.withMutableSpan { sampleWithoutReplacement(of: population, into: &$0) }
    return chosen.array()
  }

  /// Fills `chosen` with different integers of `0..<population`, ascending, every subset equally
  /// likely. Allocates nothing.
  ///
  /// The draws are those of ``sequence()``: use the key and stream for nothing else.
  package func sampleWithoutReplacement(of population: Int64, into chosen: inout MutableSpan<Int64>)
  {
    let count = chosen.count
    trap(unless: Int64(count) <= population, "sample: \(count) of \(population) integers")
    var draws = sequence()
    // One draw per candidate is cheap while few are passed over; it also needs no sorting, and
    // does as well with all but one chosen as with half.
    if population / 16 <= Int64(count) {
      return selectSequentially(of: population, into: &chosen, &draws)
    }

    // Draw, and draw again what turned out to be twice the same, until all differ. Each round
    // draws no more than is missing, so this equals drawing one by one and skipping repeats.
    var distinct = 0
    while distinct < count {
      for index in distinct..<count {
        chosen[index] = Int64(draws.integer(below: UInt64(population)))
      }
      sortByBits(&chosen, 0..<count, bit: 63 - (population - 1).leadingZeroBitCount)
      distinct = removeRepeats(&chosen)
    }
  }
}

/// Knuth's Algorithm S (The Art of Computer Programming 2, 3.4.2): goes through the population and
/// takes each with the probability (still needed) / (still left).
private func selectSequentially(
  of population: Int64, into chosen: inout MutableSpan<Int64>, _ draws: inout CounterSequence
) {
  var (candidate, taken) = (Int64(0), 0)
  while taken < chosen.count {
    let needed = UInt64(chosen.count - taken)
    if draws.integer(below: UInt64(population - candidate)) < needed {
      chosen[taken] = candidate
      taken += 1
    }
    candidate += 1
  }
}

/// Moves the different ones of ascending integers to the front; returns how many there are.
private func removeRepeats(_ values: inout MutableSpan<Int64>) -> Int {
  var kept = 0
  for index in values.indices where kept == 0 || values[kept - 1] != values[index] {
    values[kept] = values[index]
    kept += 1
  }
  return kept
}

/// Sorts non-negative integers that agree in all bits above `bit`, in place.
///
/// Radix exchange: splits by one bit after the other. The standard library's sort takes memory;
/// and uniform draws, the only use, split evenly.
private func sortByBits(_ values: inout MutableSpan<Int64>, _ range: Range<Int>, bit: Int) {
  if range.count <= 24 || bit < 0 {
    return insertionSort(&values, range)
  }
  var (low, high) = (range.lowerBound, range.upperBound)
  while low < high {
    if values[low] >> Int64(bit) & 1 == 0 {
      low += 1
    } else {
      high -= 1
      values.swapAt(low, high)
    }
  }
  sortByBits(&values, range.lowerBound..<low, bit: bit - 1)
  sortByBits(&values, low..<range.upperBound, bit: bit - 1)
}

private func insertionSort(_ values: inout MutableSpan<Int64>, _ range: Range<Int>) {
  for index in range.dropFirst() {
    let value = values[index]
    var place = index
    while place > range.lowerBound && values[place - 1] > value {
      values[place] = values[place - 1]
      place -= 1
    }
    values[place] = value
  }
}
