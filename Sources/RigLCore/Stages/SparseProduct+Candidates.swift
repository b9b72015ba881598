// What growth by candidates looks at: how much goes in and out, and the gradient at a few positions.

extension ProductGradient {
  /// Σ |x| of each input channel and Σ |δ| of each output; of inputs with windows, which outputs read in
  /// different places, all alike.
  func activity(_ pool: ThreadPool) -> (inputs: [Double], outputs: [Double]) {
    let (layout, input) = (product.layout, product.input)
    let outputs = product.outputGradient.sumOfMagnitudes(of: connections.outputs, pool)
    guard layout.windows == nil else {
      return ([Double](repeating: 1, count: connections.inputs), outputs)
    }
    return (input.sumOfMagnitudes(of: connections.inputs / layout.taps.count, pool), outputs)
  }

  /// By the backward product of connections there.
  func gradients(at positions: [Int64], _ pool: ThreadPool) -> [Float] {
    let (layout, input, shape) = (product.layout, product.input, connections.parameter.shape)
    let candidates = SparseWeights.transient(at: positions) { () throws(RigLError) in
      try SparseWeights(
        name: connections.name, shape: shape, connections: positions.count,
        forward: layout.forward(lanes: input.lanes),
        backward: layout.backward(lanes: input.lanes), windows: layout.windows)
    }
    guard let candidates else { return [] }
    pool.run(chunks: candidates.backward.slabs, with: (product, candidates)) {
      operands, slab, _ in
      let (product, candidates) = operands
      unsafe candidates.backward.backward(
        slabs: slab..<slab + 1, groups: 0..<product.input.groups,
        places: product.layout.inputWidth,
        origin: product.layout.zerosBefore * product.input.lanes,
        weights: candidates.parameter.values.base, outputGradient: product.paddedGradient,
        input: product.input, inputGradient: nil,
        weightGradient: candidates.parameter.gradient.base, accumulate: false)
    }
    return candidates.inPositionOrder(candidates.parameter.gradient).array()
  }
}

extension SparseWeights {
  /// Connections that exist for a gradient alone; nil of no positions.
  static func transient(
    at positions: [Int64], _ make: () throws(RigLError) -> SparseWeights
  ) -> SparseWeights? {
    guard !positions.isEmpty else { return nil }
    do {
      let weights = try make()
      weights.assign(
        ascending: AlignedBuffer(positions), scratch: TopologyScratch(layers: [weights]))
      return weights
    } catch {
      // As many as the layer has, of the layer's own shape.
      trap("\(error)")
    }
  }
}

extension Tensor {
  /// Σ |x| over the batch of each of `channels` channels, which have equally many values.
  func sumOfMagnitudes(of channels: Int, _ pool: ThreadPool) -> [Double] {
    var sums = [Double](repeating: 0, count: channels)
    let width = shape.count / channels
    unsafe sums.withUnsafeMutableBufferPointer { sums in
      guard let base = sums.baseAddress else { return }
      unsafe pool.run(chunks: channels.dividedUp(by: 64), with: (self, base, channels, width)) {
        operands, chunk, _ in
        let (tensor, sums, channels, width) = unsafe operands
        for channel in chunk * 64..<min((chunk + 1) * 64, channels) {
          unsafe sums[channel] = tensor.sumOfMagnitudes(
            values: channel * width..<(channel + 1) * width)
        }
      }
    }
    return sums
  }

  /// Σ |x| over the batch of values that lie side by side.
  private func sumOfMagnitudes(values: Range<Int>) -> Double {
    var sum = 0.0
    for group in 0..<groups {
      let (start, live) = unsafe (base + group * groupStride, liveLanes(group: group))
      for value in values {
        unsafe sum += Double(Tensor.sumOfMagnitudes(start + value * lanes, live))
      }
    }
    return sum
  }

  /// Σ |x| of `count` numbers.
  static func sumOfMagnitudes(_ numbers: UnsafePointer<Float>, _ count: Int) -> Float {
    var (sums, index) = (SIMD8<Float>(), 0)
    while index + 8 <= count {
      let bits = unsafe UnsafeRawPointer(numbers + index).loadUnaligned(as: SIMD8<UInt32>.self)
      sums += unsafe unsafeBitCast(bits & 0x7FFF_FFFF, to: SIMD8<Float>.self)
      index += 8
    }
    let four = sums.lowHalf + sums.highHalf
    let two = four.lowHalf + four.highHalf
    var sum = two.x + two.y
    while index < count {
      sum += unsafe numbers[index].magnitude
      index += 1
    }
    return sum
  }
}
