import RigLCore
import Testing

/// All values of a tensor at once.
@Suite struct TensorValuesTests {
  static let shapes = [
    SampleShape(channels: 1), SampleShape(channels: 7),
    SampleShape(channels: 3, height: 4, width: 5), SampleShape(channels: 1, height: 3, width: 1),
  ]

  @Test(arguments: shapes, [8, 32]) func valuesAreThoseOfTheElements(shape: SampleShape, lanes: Int)
    throws
  {
    for samples in [0, 1, 7, 8, 9, 31, 32, 33, 40] {
      let tensor = Tensor(shape: shape, capacity: 40, lanes: lanes)
      tensor.withMutableElements { elements in
        for index in elements.indices { elements[index] = 9 }
      }
      let values = randomValues(samples * shape.count, seed: 3)
      try tensor.setValues(values)
      #expect(tensor.samples == samples && tensor.values() == values)
      for sample in 0..<samples {
        for index in 0..<shape.count {
          let expected = values[sample * shape.count + index]
          #expect(tensor[sample, index] == expected)
          let place = tensor.element(of: sample, value: index)
          #expect(tensor.withElements { $0[place] } == expected)
        }
        let begin = sample * shape.count
        #expect(tensor.values(of: sample) == Array(values[begin..<begin + shape.count]))
      }
      // Lanes that are no samples are zero, as gradients must have them.
      let (sum, all) = tensor.withElements { elements in
        (elements.indices.count { elements[$0] != 0 }, elements.count)
      }
      #expect(sum == values.count { $0 != 0 })
      #expect(all == tensor.groups * tensor.groupStride)
    }
  }

  /// The order in memory is the one that the documentation says.
  @Test func memoryIsByGroupRowChannelColumnLane() throws {
    let shape = SampleShape(channels: 2, height: 3, width: 4)
    let tensor = Tensor(shape: shape, capacity: 20, lanes: 8)
    let values = randomValues(20 * shape.count, seed: 1)
    try tensor.setValues(values)
    tensor.withElements { elements in
      for (sample, c, y, x) in [(0, 0, 0, 0), (9, 1, 2, 3), (19, 0, 1, 2), (8, 1, 0, 3)] {
        let place = (((sample / 8 * 3 + y) * 2 + c) * 4 + x) * 8 + sample % 8
        #expect(elements[place] == values[sample * 24 + (c * 3 + y) * 4 + x])
      }
    }
  }

  @Test func oneSampleIsSetAlone() throws {
    let tensor = Tensor(shape: SampleShape(channels: 2, height: 1, width: 2), capacity: 9, lanes: 8)
    try tensor.setValues([Float](repeating: 1, count: 36))
    try tensor.setValues([2, 3, 4, 5], of: 8)
    #expect(tensor.values() == [Float](repeating: 1, count: 32) + [2, 3, 4, 5])
    var room = [Float](repeating: 0, count: 36)
    var span = room.mutableSpan
    tensor.copyValues(into: &span)
    #expect(room == tensor.values())
  }

  @Test func otherNumbersOfValuesAreRefused() throws {
    let tensor = Tensor(shape: SampleShape(channels: 4), capacity: 10, lanes: 8)
    try tensor.setValues([1, 2, 3, 4])
    for count in [1, 5, 44] {
      let error = #expect(throws: RigLError.self) {
        try tensor.setValues([Float](repeating: 0, count: count))
      }
      #expect(error?.kind == .data && error?.what.contains("\(count) values") == true)
    }
    #expect(throws: RigLError.self) { try tensor.setValues([1, 2, 3], of: 0) }
    #expect(throws: RigLError.self) { try tensor.setValues([1, 2, 3, 4], of: 1) }
    #expect(throws: RigLError.self) { try tensor.setValues([1, 2, 3, 4], of: -1) }
    #expect(tensor.values() == [1, 2, 3, 4])
  }
}
