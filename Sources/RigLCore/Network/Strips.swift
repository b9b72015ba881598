// A single image leaves seven of eight lanes idle. So a model for one image at a time cuts it into
// as many horizontal strips, one a lane: row y of the image is row y % h of lane y / h, where h is
// the height of a strip. Layers work as on so many small images. Only what reads beyond a strip's
// end knows of it: the row there is one of a neighbouring strip, the same row one lane further, and
// zeros where the image ends.

extension Residual {
  /// The branches' shape, where it is the same.
  package func strip(of input: SampleShape) -> SampleShape? {
    guard !main.gathersStrips, !shortcut.gathersStrips, let sum = main.strip(of: input),
      shortcut.strip(of: input) == sum
    else { return nil }
    return sum
  }
}

extension Sequential {
  /// Whether a layer makes one vector of all strips; layers after it work on vectors.
  package var gathersStrips: Bool {
    layers.contains { $0.planned?.gathersStrips == true }
  }

  /// The last layer's, or of the one that gathers strips.
  package func strip(of input: SampleShape) -> SampleShape? {
    var shape = input
    for layer in layers {
      guard let layer = layer.planned, let next = layer.strip(of: shape) else {
        return nil
      }
      shape = next
      if layer.gathersStrips { return shape }
    }
    return shape
  }

  /// The most strips that an image can be cut into for all layers to work on them; 1: none.
  func strips(of input: SampleShape) -> Int {
    guard gathersStrips else { return 1 }
    for strips in stride(from: BandGeometry.lanes, to: 1, by: -1)
    where input.height % strips == 0 && strip(of: input.strip(of: strips)) != nil {
      return strips
    }
    return 1
  }
}

extension SampleShape {
  /// The shape of one of `strips` strips: as wide, with that part of the rows.
  func strip(of strips: Int) -> SampleShape {
    SampleShape(channels: channels, height: height / strips, width: width)
  }
}

extension Tensor {
  /// Where row y of a strip lies that may reach beyond its end: so many strips further, and there in
  /// row y.
  func strip(ofRow y: Int) -> (strip: Int, y: Int) {
    if y >= 0, y < shape.height { return (0, y) }
    let strip = Int((Double(y) / Double(shape.height)).rounded(.down))
    return (strip, y - strip * shape.height)
  }

  /// Writes the first sample, strip by strip, into the lanes of `target`.
  func cut(into target: Tensor) {
    let (length, height) = (shape.channels * shape.width, target.shape.height)
    for y in 0..<shape.height {
      let source = unsafe base + y * rowStride
      let place = unsafe target.base + y % height * target.rowStride + y / height
      for index in 0..<length {
        unsafe place[index * target.lanes] = source[index * lanes]
      }
    }
  }

  /// Adds the lanes of strips up in the first one.
  func gatherStrips(_ strips: Int) {
    for channel in 0..<shape.channels {
      let values = unsafe base + channel * lanes
      for strip in 1..<strips {
        unsafe values[0] += values[strip]
        unsafe values[strip] = 0
      }
    }
  }
}
