/// The largest element, or the mean, of each window; windows are clipped at the borders.
public final class Pool2d: Layer {
  /// What is made of a window.
  public enum Kind: Sendable {
    /// The largest element; ties to the first in row order.
    case maximum
    /// The mean of the elements that exist.
    case average
  }

  /// The name in errors.
  public let name: String
  /// What is made of a window.
  public let kind: Kind
  let window: PoolingWindow
  private var input: Tensor?
  private var output: Tensor?
  private var inputGradient: Tensor?
  /// Which element of its window each output is.
  private var indices = AlignedBuffer<UInt8>(count: 0)

  /// Creates a layer with windows of `kernel` × `kernel`, at most 15, `stride` apart.
  public init(
    _ kind: Kind, kernel: Int, stride: Int? = nil, padding: Int = 0, name: String = "pool"
  ) {
    trap(
      unless: kernel > 0 && kernel <= 15 && (stride ?? 1) > 0 && padding >= 0 && padding < kernel,
      "\(name): kernel \(kernel) (1...15), stride \(stride ?? kernel), padding \(padding)")
    self.name = name
    self.kind = kind
    window = PoolingWindow(kernel: kernel, stride: stride ?? kernel, padding: padding)
  }

  /// It works on planes.
  public var takesPlanes: Bool { true }

  /// floor((side + 2 padding − kernel) / stride) + 1 pixels a side.
  ///
  /// - Throws: `configuration` if the window is larger than the padded input.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    let (height, width) = (input.height + 2 * window.padding, input.width + 2 * window.padding)
    guard height >= window.kernel, width >= window.kernel else {
      throw RigLError(
        .configuration,
        "layer \(name): windows of \(window.kernel) on an input of \(input.height) × "
          + "\(input.width), padded by \(window.padding)",
        hint: "Use larger images, or a network with fewer strides.")
    }
    return SampleShape(
      channels: input.channels, height: (height - window.kernel) / window.stride + 1,
      width: (width - window.kernel) / window.stride + 1)
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    let shape = try outputShape(of: context.input)
    output = context.makePlanes(shape)
    inputGradient = context.makeInputGradient()
    if kind == .maximum && context.isTraining {
      indices = AlignedBuffer(
        count: Tensor.elements(
          shape: shape, capacity: context.capacity, lanes: context.lanes))
    }
    return shape
  }

  /// The window's largest element or mean.
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    guard let output else { trap("\(name): forward before prepare") }
    self.input = input
    output.samples = input.samples
    let rows = PlaneRows(of: output)
    if input.strips > 1 { pass.reserveScratch(window.kernel * input.rowStride) }
    let work = (self, input, output, rows, pass)
    pass.pool.run(chunks: rows.parts, with: work) { work, part, worker in
      let (layer, input, output, rows, pass) = work
      for row in rows[part] {
        let (group, y) = (row / output.shape.height, row % output.shape.height)
        var window = unsafe layer.rows(
          of: input, group: group, y: y, scratch: pass.scratch(of: worker))
        let target = unsafe output.row(y, group: group)
        switch layer.kind {
        case .maximum:
          unsafe window.maximum(
            layer.window, into: target, indices: pass.isTraining ? layer.indices(y, group) : nil)
        case .average: unsafe window.average(layer.window, into: target)
        }
      }
    }
    return output
  }

  /// The gradient at the elements that were chosen, or shared out among the window's.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let inputGradient else { return nil }
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
        switch layer.kind {
        case .maximum:
          unsafe window.addMaximumGradient(layer.window, row, indices: layer.indices(y, group))
        case .average: unsafe window.addAverageGradient(layer.window, row)
        }
      }
    }
    return inputGradient
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
    guard let output else { trap("\(name): forward before prepare") }
    return unsafe indices.base + group * output.groupStride + y * output.rowStride
  }
}

/// The mean of each channel over all pixels: planes to vectors.
public final class GlobalAveragePool: PlaneReader {
  var prologue = Prologue()
  private var input: Tensor?
  private var output: Tensor?
  private var inputGradient: Tensor?

  /// Creates a layer.
  public init() {}

  /// It works on planes.
  public var takesPlanes: Bool { true }

  /// One value a channel.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: input.channels)
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    let shape = SampleShape(channels: context.input.channels)
    output = Tensor(
      shape: shape, capacity: context.capacity / context.strips, lanes: context.lanes)
    inputGradient = context.makeInputGradient(evenIfFirst: prologue.norm != nil)
    return shape
  }

  /// The mean over pixels.
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    guard let output else { trap("GlobalAveragePool: forward before prepare") }
    self.input = input
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
    return output
  }

  /// The gradient, shared out among a channel's pixels.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let input else { trap("GlobalAveragePool: backward before forward") }
    guard let inputGradient else { return nil }
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
    return inputGradient
  }
}

/// An image as one vector, channel by channel and row by row, for a linear layer to read.
public final class Flatten: Layer {
  private var output: Tensor?
  private var inputGradient: Tensor?

  /// Creates a layer.
  public init() {}

  /// It works on planes.
  public var takesPlanes: Bool { true }

  /// All values of the input.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: input.count)
  }

  /// Allocates output and input gradient.
  public func prepare(_ context: LayerContext) throws(RigLError) -> SampleShape {
    let shape = SampleShape(channels: context.input.count)
    output = context.makeOutput(shape)
    inputGradient = context.makeInputGradient()
    return shape
  }

  /// The same values in another order.
  public func forward(_ input: Tensor, _ pass: Pass) -> Tensor {
    guard let output else { trap("Flatten: forward before prepare") }
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
    return output
  }

  /// The reverse.
  public func backward(_ outputGradient: Tensor, _ pass: Pass) -> Tensor? {
    guard let inputGradient else { return nil }
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
    return inputGradient
  }
}
