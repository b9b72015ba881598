/// The largest element, or the mean, of each window; windows are clipped at the borders.
public struct Pool2d: Layer {
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
  public let pooling: Kind
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

  /// What it is.
  public var stageName: String { pooling == .maximum ? "max-pool" : "average-pool" }
  /// The type, with the windows.
  public var kind: String {
    "Pool2d(\(pooling) \(window.kernel), stride \(window.stride), padding \(window.padding))"
  }
  /// It works on planes.
  public var takesPlanes: Bool { true }
  /// It makes planes.
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

  /// Strips of the output, where the stride divides them.
  public func strip(of input: SampleShape) -> SampleShape? {
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

/// The mean of each channel over all pixels: planes to vectors.
public struct GlobalAveragePool: Layer {
  /// Creates a layer.
  public init() {}

  /// What it is.
  public var stageName: String { "global-pool" }

  /// It works on planes.
  public var takesPlanes: Bool { true }
  /// It reads through batch-norm and ReLU.
  public var fusing: Fusing { [.readsThrough, .keepsGradient, .keepsChannels] }

  /// One value a channel.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: input.channels)
  }

  /// One value a channel.
  public func strip(of input: SampleShape) -> SampleShape? { SampleShape(channels: input.channels) }
  /// It does.
  public var gathersStrips: Bool { true }

  /// A pass over pixels.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { Averaging(site) }
}

/// An image as one vector, channel by channel and row by row, for a linear layer to read.
public struct Flatten: Layer {
  /// Creates a layer.
  public init() {}

  /// What it is.
  public var stageName: String { "flatten" }

  /// It works on planes.
  public var takesPlanes: Bool { true }
  /// It keeps all values.
  public var fusing: Fusing { [.keepsGradient, .keepsChannels] }

  /// All values of the input.
  public func outputShape(of input: SampleShape) throws(RigLError) -> SampleShape {
    SampleShape(channels: input.count)
  }

  /// A pass over rows.
  public func makeStage(_ site: StageSite) throws(RigLError) -> any Stage { Flattening(site) }
}
