/// The largest element, or the mean, of each window; windows are clipped at the borders.
public struct Pool2d: Layer, PlannedLayer {
  /// The value that a window becomes.
  public enum Kind: Sendable {
    /// The largest element; ties to the first in row order.
    case maximum
    /// The mean of the elements that exist.
    case average
  }

  /// The name in errors.
  package let name: String
  /// The value that a window becomes: its largest element or its mean.
  package let pooling: Kind
  let window: PoolingWindow

  /// Creates a layer with windows of `kernel` × `kernel`, at most 15, `stride` apart.
  public init(
    _ pooling: Kind, kernel: Int, stride: Int? = nil, padding: Int = 0, name: String = "pool"
  ) {
    trap(
      unless: kernel > 0 && kernel <= 15 && (stride ?? 1) > 0 && padding >= 0 && padding < kernel,
      "\(name): kernel \(kernel) (1...15), stride \(stride ?? kernel), padding \(padding)")
    self.name = name
    self.pooling = pooling
    window = PoolingWindow(kernel: kernel, stride: stride ?? kernel, padding: padding)
  }

  /// The name `max-pool` or `average-pool`.
  package var stageName: String { pooling == .maximum ? "max-pool" : "average-pool" }
  /// The type, with the windows.
  public var kind: String {
    "Pool2d(\(pooling) \(window.kernel), stride \(window.stride), padding \(window.padding))"
  }
  /// True: pooling works on images.
  public var takesPlanes: Bool { true }
  /// Its output are planes, each channel made of the same channel of the input.
  public var fusing: Fusing { [.makesPlanes, .keepsGradient, .keepsChannels] }

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

  package var channelEffect: ChannelEffect { .passing }
  /// Strips of the output, where the stride divides them.
  package func strip(of input: SampleShape) -> SampleShape? {
    // A mean counts the elements that exist, which differ at the image's ends.
    guard pooling == .maximum || (window.padding == 0 && window.kernel <= window.stride),
      let output = try? outputShape(of: input)
    else { return nil }
    return output.height * window.stride == input.height ? output : nil
  }

  /// A pass over windows.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage {
    Pooling(pooling, window, site)
  }
}

// MARK: - In a file

extension Pool2d {
  package var architecture: ArchitectureLayer? {
    var layer = ArchitectureLayer(pooling == .maximum ? .maximum : .average)
    layer.name = name
    (layer.kernel, layer.stride) = (window.kernel, window.stride)
    layer.padding = window.padding
    return layer
  }

  init(_ pooling: Kind, _ layer: ArchitectureLayer) throws(RigLError) {
    let kernel = try layer.number(layer.kernel, "a kernel", in: 1...15)
    self.init(
      pooling, kernel: kernel, stride: try layer.number(layer.stride, "a stride", in: 1...4096),
      padding: try layer.number(layer.padding, "a padding", in: 0...kernel - 1),
      name: layer.name ?? "pool")
  }
}

// MARK: - To vectors

/// The mean of each channel over all pixels: planes to vectors.
public struct GlobalAveragePool: Layer, PlannedLayer {
  /// Creates a layer.
  public init() {}

  /// The name `global-pool`.
  package var stageName: String { "global-pool" }

  /// True: pooling works on images.
  public var takesPlanes: Bool { true }
  /// The layer applies batch-norm and activation as it reads.
  public var fusing: Fusing { [.readsThrough, .keepsGradient, .keepsChannels] }

  /// A vector of one value for each channel.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: input.channels)
  }

  package var channelEffect: ChannelEffect { .passing }
  package var architecture: ArchitectureLayer? { ArchitectureLayer(.globalAverage) }
  /// A vector of one value for each channel.
  package func strip(of input: SampleShape) -> SampleShape? {
    SampleShape(channels: input.channels)
  }
  /// True: the mean is over all strips.
  package var gathersStrips: Bool { true }

  /// A pass over pixels.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { Averaging(site) }
}

/// An image as one vector, channel by channel and row by row, for a linear layer to read.
public struct Flatten: Layer, PlannedLayer {
  /// Creates a layer.
  public init() {}

  /// The name `flatten`.
  package var stageName: String { "flatten" }
  package var channelEffect: ChannelEffect { .passing }
  package var architecture: ArchitectureLayer? { ArchitectureLayer(.flatten) }
  /// Nil: a vector has no strips.
  package func strip(of input: SampleShape) -> SampleShape? { nil }

  /// True: the input are images.
  public var takesPlanes: Bool { true }
  /// The output's gradient is kept, and each value is one of the input's.
  public var fusing: Fusing { [.keepsGradient, .keepsChannels] }

  /// All values of the input.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: input.count)
  }

  /// A pass over rows.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { Flattening(site) }
}
