// What growing a convolution's connections looks at: the gradient of weights that do not exist.

extension PlaneConvolution {
  /// The gradient of one weight, connected or not: of output `output`, at `position` = channel · k² +
  /// tap.
  func weightGradient(_ gradient: Tensor, output outputChannel: Int, position: Int) -> Float {
    guard let input, let output else { preconditionFailure("\(name): backward before forward") }
    let shape = geometry.shape
    let (channel, tap) = (position / shape.taps, position % shape.taps)
    let (ky, kx) = (tap / shape.kernel, tap % shape.kernel)
    let (relu, norm, folded) = (prologue.relu, prologue.norm, foldsNorm ? outputNorm : nil)
    var sum: Float = 0
    for sample in 0..<input.samples {
      for y in 0..<output.shape.height {
        let sourceY = y * shape.stride - shape.padding + ky
        guard sourceY >= 0, sourceY < input.shape.height else { continue }
        for x in 0..<output.shape.width {
          let sourceX = x * shape.stride - shape.padding + kx
          guard sourceX >= 0, sourceX < input.shape.width else { continue }
          let place = (outputChannel * output.shape.height + y) * output.shape.width + x
          var dy = gradient[sample, place]
          if let folded {
            dy =
              folded.a[outputChannel] * dy + folded.b[outputChannel] * output[sample, place]
              + folded.c[outputChannel]
          }
          var value =
            input[sample, (channel * input.shape.height + sourceY) * input.shape.width + sourceX]
          if let norm { value = norm.scale[channel] * value + norm.shift[channel] }
          sum += dy * (relu ? max(0, value) : value)
        }
      }
    }
    return sum
  }
}
