/// The largest element, or the mean, of each window.
final class Pooling: PlacedStage {
  let site: StageSite
  private let pooling: Pool2d.Kind
  private let window: PoolingWindow
  /// Which element of its window each output is.
  private let indices: AlignedBuffer<UInt8>

  init(_ pooling: Pool2d.Kind, _ window: PoolingWindow, _ site: StageSite) {
    (self.pooling, self.window, self.site) = (pooling, window, site)
    indices = AlignedBuffer(
      count: pooling == .maximum && site.isTraining
        ? Tensor.elements(shape: site.output.shape, capacity: site.capacity, lanes: site.lanes) : 0)
  }

  var timing: StageTiming { StageTiming(.pooling) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let (x, y) = (counts.bytes(of: input.shape), counts.bytes(of: output.shape))
    guard pooling == .maximum else {
      return [.pooling: counts.both(StageWork(near: x + y), StageWork(near: x + y))]
    }
    // Which element was the largest takes a byte.
    return [
      .pooling: counts.both(StageWork(near: x + 1.25 * y), StageWork(near: x + y, far: y / 4))
    ]
  }

  /// The window's largest element or mean.
  func forward(_ pass: Pass) {
    output.samples = input.samples
    let rows = PlaneRows(of: output)
    if input.strips > 1 { pass.reserveScratch(window.kernel * input.rowStride) }
    let work = (self, rows, pass)
    pass.pool.run(chunks: rows.parts, with: work) { work, part, worker in
      let (layer, rows, pass) = work
      let (input, output) = (layer.input, layer.output)
      for row in rows[part] {
        let (group, y) = (row / output.shape.height, row % output.shape.height)
        var window = unsafe layer.rows(
          of: input, group: group, y: y, scratch: pass.scratch(of: worker))
        let target = unsafe output.row(y, group: group)
        switch layer.pooling {
        case .maximum:
          unsafe window.maximum(
            layer.window, into: target, indices: pass.isTraining ? layer.indices(y, group) : nil)
        case .average: unsafe window.average(layer.window, into: target)
        }
      }
    }
  }

  /// The gradient at the elements that were chosen, or shared out among the window's.
  func backward(_ pass: Pass) {
    guard let inputGradient else { return }
    inputGradient.samples = outputGradient.samples
    // Windows overlap, so a group has one owner.
    let operands = (self, inputGradient, outputGradient)
    pass.pool.run(chunks: outputGradient.groups, with: operands) { operands, group, _ in
      let (layer, inputGradient, gradient) = operands
      unsafe (inputGradient.base + group * inputGradient.groupStride).update(
        repeating: 0, count: inputGradient.groupStride)
      for y in 0..<gradient.shape.height {
        var window = unsafe layer.rows(of: inputGradient, group: group, y: y, scratch: nil)
        let row = unsafe gradient.row(y, group: group)
        switch layer.pooling {
        case .maximum:
          unsafe window.addMaximumGradient(layer.window, row, indices: layer.indices(y, group))
        case .average: unsafe window.addAverageGradient(layer.window, row)
        }
      }
    }
  }

  /// The rows that a row of windows sees; those of neighbouring strips in scratch, where what lies
  /// outside the image is smaller than anything.
  private func rows(
    of tensor: Tensor, group: Int, y: Int, scratch: UnsafeMutablePointer<Float>?
  ) -> WindowRows {
    var rows = unsafe WindowRows(shape: tensor.shape)
    for index in 0..<window.kernel {
      let (strip, source) = tensor.strip(ofRow: y * window.stride - window.padding + index)
      guard abs(strip) < tensor.strips else { continue }
      let row = unsafe tensor.row(source, group: group)
      unsafe rows[index] = row.base
      guard strip != 0, let scratch = unsafe scratch else { continue }
      let place = unsafe scratch + index * tensor.rowStride
      unsafe place.update(from: row.base, count: tensor.rowStride)
      unsafe RowLayout(width: row.width).shiftLanes(
        by: strip, of: tensor.strips, channels: row.channels, fill: -.infinity, in: place)
      unsafe rows[index] = place
    }
    return unsafe rows
  }

  private func indices(_ y: Int, _ group: Int) -> UnsafeMutablePointer<UInt8> {
    unsafe indices.base + group * output.groupStride + y * output.rowStride
  }
}

/// The mean of each channel over all pixels.
final class Averaging: PlacedStage {
  let site: StageSite

  init(_ site: StageSite) { self.site = site }

  var timing: StageTiming { StageTiming(.pooling) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let (x, y) = (counts.bytes(of: input.shape), counts.bytes(of: output.shape))
    let far = prologue.isIdentity ? 0 : x
    return [.pooling: counts.both(StageWork(near: x + y), StageWork(near: x + y, far: far))]
  }

  /// The mean over pixels.
  func forward(_ pass: Pass) {
    output.samples = input.samples / input.strips
    pass.pool.run(chunks: input.groups, with: (self, input, output)) { work, group, _ in
      let (layer, input, output) = work
      let target = unsafe output.base + group * output.groupStride
      unsafe target.update(repeating: 0, count: output.groupStride)
      let factor = 1 / Float(input.shape.height * input.shape.width * input.strips)
      for y in 0..<input.shape.height {
        unsafe input.row(y, group: group).average(layer.prologue, factor: factor, into: target)
      }
    }
    if input.strips > 1 { output.gatherStrips(input.strips) }
  }

  /// The gradient, shared out among a channel's pixels.
  func backward(_ pass: Pass) {
    guard let inputGradient else { return }
    inputGradient.samples = input.samples
    let rows = PlaneRows(of: input)
    let work = (self, input, outputGradient, inputGradient, rows)
    pass.pool.run(chunks: rows.parts, with: work) { work, part, _ in
      let (layer, input, gradient, inputGradient, rows) = work
      let shape = input.shape
      let factor = 1 / Float(shape.height * shape.width)
      rows.begin(part, layer.prologue.norm?.gradientSums, input)
      for row in rows[part] {
        let (group, y) = (row / shape.height, row % shape.height)
        unsafe inputGradient.row(y, group: group).averageGradient(
          gradient.base + group * gradient.groupStride, input: input.row(y, group: group),
          layer.prologue, factor: factor, part: part)
      }
    }
    prologue.norm?.finishBackward(parts: rows.parts, pass)
  }
}

/// An image as one vector, channel by channel and row by row.
final class Flattening: PlacedStage {
  let site: StageSite

  init(_ site: StageSite) { self.site = site }

  var timing: StageTiming { StageTiming(.pooling) }

  func work(_ counts: StepCounts) -> [StepStage: StageWork] {
    let both = counts.bytes(of: input.shape) + counts.bytes(of: output.shape)
    return [.pooling: counts.both(StageWork(near: both), StageWork(near: both))]
  }

  /// Copies planes [y][channel][x] into vectors (channel, y, x): the same values in another order.
  func forward(_ pass: Pass) {
    output.samples = input.samples
    pass.pool.run(chunks: input.groups, with: (input, output)) { work, group, _ in
      let (input, output) = work
      let (shape, length) = (input.shape, input.shape.width * input.lanes)
      for y in 0..<shape.height {
        let row = unsafe input.row(y, group: group)
        for channel in 0..<shape.channels {
          let place = group * output.groupStride + (channel * shape.height + y) * length
          unsafe (output.base + place).update(from: row.base + channel * length, count: length)
        }
      }
    }
  }

  /// The reverse.
  func backward(_ pass: Pass) {
    guard let inputGradient else { return }
    inputGradient.samples = outputGradient.samples
    pass.pool.run(chunks: outputGradient.groups, with: (outputGradient, inputGradient)) {
      work, group, _ in
      let (gradient, inputGradient) = work
      let (shape, length) = (inputGradient.shape, inputGradient.shape.width * inputGradient.lanes)
      for y in 0..<shape.height {
        let row = unsafe inputGradient.row(y, group: group)
        for channel in 0..<shape.channels {
          let place = group * gradient.groupStride + (channel * shape.height + y) * length
          unsafe (row.base + channel * length).update(from: gradient.base + place, count: length)
        }
      }
    }
  }
}
