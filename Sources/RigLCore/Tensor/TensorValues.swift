// All values of a tensor at once, in the order of samples or as they lie in memory.

extension Tensor {
  /// The values of all samples: one sample after the other, each channel by channel and row by row,
  /// whatever the order in memory.
  ///
  ///     let logits = Tensor(shape: SampleShape(channels: 10), capacity: 64, lanes: 32)
  ///     logits.samples = 3
  ///     let values = logits.values()
  ///     print(values.count, "values, of sample 1:", values[10..<20])
  public func values() -> [Float] {
    var values = [Float](repeating: 0, count: samples * shape.count)
    var span = values.mutableSpan
    copyValues(into: &span)
    return values
  }

  /// The values of one sample, in the order of ``values()``.
  public func values(of sample: Int) -> [Float] {
    var values = [Float](repeating: 0, count: shape.count)
    var span = values.mutableSpan
    copyValues(of: sample, into: &span, at: 0)
    return values
  }

  /// Copies ``values()`` into memory of `samples * shape.count` elements; allocates nothing.
  package func copyValues(into target: inout MutableSpan<Float>) {
    trap(
      unless: target.count == samples * shape.count,
      "copyValues: room for \(target.count) values, expected \(samples) × \(shape.count)")
    for sample in 0..<samples { copyValues(of: sample, into: &target, at: sample * shape.count) }
  }

  /// Takes the values of samples, in the order of ``values()``: there are then as many samples as
  /// these are.
  ///
  ///     let inputs = Tensor(shape: SampleShape(channels: 4), capacity: 64, lanes: 32)
  ///     try inputs.setValues([1, 2, 3, 4, 5, 6, 7, 8])
  ///     print(inputs.samples, "samples, of the second:", inputs.values(of: 1))
  ///
  /// - Throws: `RigLError(.data)` if the values are not those of whole samples, or of more than the
  ///   tensor holds.
  public func setValues(_ values: [Float]) throws(RigLError) { try setValues(values.span) }

  /// Takes the values of samples, in the order of ``values()``; allocates nothing.
  ///
  /// - Throws: as ``setValues(_:)-([Float])``.
  package func setValues(_ values: Span<Float>) throws(RigLError) {
    let (count, rest) = values.count.quotientAndRemainder(dividingBy: shape.count)
    guard rest == 0, count <= capacity else {
      throw RigLError(
        .data,
        "\(values.count) values for a tensor of at most \(capacity) samples of \(shape.count)",
        hint: "Give the values of whole samples, one after the other.")
    }
    samples = count
    for sample in 0..<count { set(values, from: sample * shape.count, sample) }
    clearDeadLanes()
  }

  /// Takes the values of one of the samples, in the order of ``values()``.
  ///
  /// - Throws: `RigLError(.data)` if there is no such sample, or it has another number of values.
  public func setValues(_ values: [Float], of sample: Int) throws(RigLError) {
    guard sample >= 0, sample < samples else {
      throw RigLError(.data, "sample \(sample) of a tensor of \(samples) samples")
    }
    guard values.count == shape.count else {
      throw RigLError(.data, "sample \(sample): \(values.count) values, expected \(shape.count)")
    }
    set(values.span, from: 0, sample)
  }

  // MARK: - In memory

  /// Calls `body` with the memory of the groups in use, to read: `groups * groupStride` elements in
  /// the order `[group][y][channel][x][lane]`.
  ///
  /// Sample s is lane `s % lanes` of group `s / lanes`, so that neighbours in memory are the same
  /// value of neighbouring samples; ``element(of:value:)`` says where a value lies. The last group's
  /// lanes beyond ``samples`` are there too, and no samples.
  ///
  ///     let inputs = Tensor(shape: SampleShape(channels: 4), capacity: 40, lanes: 32)
  ///     inputs[33, 2] = 0.5
  ///     let place = inputs.element(of: 33, value: 2)
  ///     print(inputs.withElements { $0[place] })
  public func withElements<Result, Failure>(
    _ body: (Span<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    try unsafe body(Span(_unsafeStart: base, count: groups * groupStride))
  }

  /// Calls `body` with the memory of the groups in use, to write, in the order of
  /// ``withElements(_:)``. Lanes that are no samples must stay finite, and zero in gradients.
  public func withMutableElements<Result, Failure>(
    _ body: (inout MutableSpan<Float>) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    var span = unsafe MutableSpan(_unsafeStart: base, count: groups * groupStride)
    return try body(&span)
  }

  /// Where in memory a sample's value lies, by its index in the order channel, row, column: an index
  /// of ``withElements(_:)``.
  public func element(of sample: Int, value: Int) -> Int { offset(sample, value) }

  // MARK: - Copying

  private func copyValues(
    of sample: Int, into target: inout MutableSpan<Float>, at begin: Int
  ) {
    let first = offset(sample, 0)
    for row in 0..<shape.channels * shape.height {
      let (source, place) = (first + startOfRow(row) * lanes, begin + row * shape.width)
      for x in 0..<shape.width { target[place + x] = unsafe base[source + x * lanes] }
    }
  }

  private func set(_ values: Span<Float>, from begin: Int, _ sample: Int) {
    let first = offset(sample, 0)
    for row in 0..<shape.channels * shape.height {
      let (target, place) = (first + startOfRow(row) * lanes, begin + row * shape.width)
      for x in 0..<shape.width { unsafe base[target + x * lanes] = values[place + x] }
    }
  }

  /// The element, without lanes, where a row begins: rows are counted channel by channel, and lie
  /// with the channels of a row side by side.
  private func startOfRow(_ row: Int) -> Int {
    let (channel, y) = row.quotientAndRemainder(dividingBy: shape.height)
    return (y * shape.channels + channel) * shape.width
  }

  /// Zeroes the last group's lanes beyond the samples.
  private func clearDeadLanes() {
    guard samples % lanes != 0 else { return }
    for element in 0..<shape.count {
      let begin = ((groups - 1) * shape.count + element) * lanes
      for lane in samples % lanes..<lanes { unsafe base[begin + lane] = 0 }
    }
  }
}
