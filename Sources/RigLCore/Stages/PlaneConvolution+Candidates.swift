// What growth by candidates looks at in a convolution: how much goes in and out of channels, and the
// gradient of a few weights.

extension ConvolutionGradient {
  func activity(_ pool: ThreadPool) -> (inputs: [Double], outputs: [Double]) {
    let (prologue, input) = (convolution.prologue, convolution.input)
    let (gradient, output) = (convolution.outputGradient, convolution.output)
    let folded = convolution.takesNormGradient ? convolution.outputNorm : nil
    let inputs = input.channelMagnitudes(pool) { channel in
      Tensor.Reading(
        scale: prologue.norm?.scale[channel] ?? 1, shift: prologue.norm?.shift[channel] ?? 0,
        activation: prologue.activation)
    }
    let outputs = gradient.channelMagnitudes(pool, beside: folded == nil ? nil : output) {
      channel in
      guard let folded else { return Tensor.Reading() }
      return Tensor.Reading(
        scale: folded.a[channel], shift: folded.c[channel], besideScale: folded.b[channel])
    }
    return (inputs, outputs)
  }

  /// By the backward product of connections there, band by band.
  func gradients(at positions: [Int64], _ pool: ThreadPool) -> [Float] {
    var kernel: SparseBandKernel?
    let candidates = SparseWeights.transient(at: positions) { () throws(RigLError) in
      let made = try SparseBandKernel(
        name: connections.name, convolution.geometry, connections: positions.count)
      kernel = made
      return made.weights
    }
    guard let kernel, let candidates else { return [] }
    convolution.sumGradients(kernel, pool)
    return candidates.inPositionOrder(candidates.parameter.gradient).array()
  }
}

extension PlaneConvolution {
  private struct CandidateWork {
    let layer: PlaneConvolution
    let kernel: SparseBandKernel
    let parts: GradientParts
    let bands: Bands
    let scratch: [AlignedBuffer<Float>.Shared]
  }

  /// The gradient of a kernel's weights on the batch, whose backward pass has been.
  fileprivate func sumGradients(_ kernel: SparseBandKernel, _ pool: ThreadPool) {
    let bands = Bands(
      groups: input.groups, bands: geometry.backwardBands,
      most: Bands.most(weights: kernel.weight.count))
    let parts = GradientParts(weight: kernel.weight, bias: nil, memory: SharedMemory())
    parts.isNeeded = true
    let scratch = (0..<pool.threads).map { _ in
      AlignedBuffer<Float>.Shared(count: geometry.scratchCount)
    }
    let work = CandidateWork(
      layer: self, kernel: kernel, parts: parts, bands: bands, scratch: scratch)
    pool.run(chunks: bands.parts, with: work) { work, part, worker in
      unsafe work.layer.sumGradients(
        work.kernel, part, of: work.bands, into: work.parts.bases(part).weight,
        scratch: work.scratch[worker].buffer.base)
    }
    parts.join(bands.parts, pool: pool)
  }

  private func sumGradients(
    _ kernel: SparseBandKernel, _ part: Int, of bands: Bands,
    into sums: UnsafeMutablePointer<Float>, scratch: UnsafeMutablePointer<Float>
  ) {
    let activation = unsafe scratch + geometry.gradient.count
    let unused = unsafe activation + geometry.activation.count
    for item in bands[part] {
      let (group, band) = bands.place(item)
      let first = band * geometry.backwardRows
      let rows = min(geometry.backwardRows, geometry.inputSubRows - first)
      let isFirst = item == bands[part].lowerBound
      unsafe packGradient(
        0..<geometry.shape.outputs, group: group, firstSubRow: first,
        continues: !isFirst && band > 0, into: scratch)
      unsafe packActivation(group: group, firstSubRow: first, rows, into: activation)
      unsafe kernel.backward(
        rows: rows, gradient: scratch, activation: activation, activationGradient: unused,
        wantsActivationGradient: false, weightGradient: sums, accumulate: !isFirst)
    }
  }
}

extension AlignedBuffer {
  /// A buffer that several owners may hold.
  final class Shared {
    let buffer: AlignedBuffer
    init(count: Int) { buffer = AlignedBuffer(count: count) }
  }
}

extension Tensor {
  /// How a channel's values are read: f(scale · value + besideScale · other + shift).
  struct Reading {
    var scale: Float = 1
    var shift: Float = 0
    var besideScale: Float = 0
    var activation: Activation?
  }

  /// Σ |x| over the batch of each channel of planes, as `reading` says.
  ///
  /// - Parameter other: values of the same shape that the reading looks at beside.
  fileprivate func channelMagnitudes(
    _ pool: ThreadPool, beside other: Tensor? = nil, _ reading: (Int) -> Reading
  ) -> [Double] {
    let channels = shape.channels
    let readings = (0..<channels).map(reading)
    var sums = [Double](repeating: 0, count: channels)
    unsafe sums.withUnsafeMutableBufferPointer { sums in
      guard let base = sums.baseAddress else { return }
      unsafe pool.run(chunks: channels, with: (self, other, readings, base)) { work, channel, _ in
        let (tensor, other, readings, sums) = unsafe work
        unsafe sums[channel] = tensor.magnitudes(of: channel, beside: other, readings[channel])
      }
    }
    return sums
  }

  private func magnitudes(
    of channel: Int, beside other: Tensor?, _ reading: Reading
  ) -> Double {
    let length = shape.width * lanes
    var sum = 0.0
    for group in 0..<groups {
      let live = liveLanes(group: group)
      for y in 0..<shape.height {
        let place = group * groupStride + (y * shape.channels + channel) * length
        let row = unsafe UnsafePointer(base + place)
        let beside = unsafe other.map { unsafe UnsafePointer($0.base + place) }
        sum += unsafe Double(magnitudes(row, beside, length, live: live, reading))
      }
    }
    return sum
  }

  /// Σ |x| of a row, of the lanes that have a sample.
  private func magnitudes(
    _ row: UnsafePointer<Float>, _ beside: UnsafePointer<Float>?, _ length: Int, live: Int,
    _ reading: Reading
  ) -> Float {
    let numbers = SIMD8<Int32>(0, 1, 2, 3, 4, 5, 6, 7)
    var sums = SIMD8<Float>()
    for start in stride(from: 0, to: length, by: 8) {
      var values = unsafe UnsafeRawPointer(row + start).loadUnaligned(as: SIMD8<Float>.self)
      values = values * reading.scale + reading.shift
      if let beside = unsafe beside {
        let others = unsafe UnsafeRawPointer(beside + start).loadUnaligned(as: SIMD8<Float>.self)
        values += others * reading.besideScale
      }
      switch reading.activation {
      case nil: break
      case .relu: values.replace(with: 0, where: values .< 0)
      case let activation: values = activation(values)
      }
      values.replace(with: -values, where: values .< 0)
      if live < lanes {
        let lane = Int32(start % lanes)
        values.replace(with: 0, where: numbers &+ lane .>= Int32(live))
      }
      sums += values
    }
    let four = sums.lowHalf + sums.highHalf
    let two = four.lowHalf + four.highHalf
    return two.x + two.y
  }
}
