import RigLCore
import Testing

/// Every network's logits against plain loops in double precision over the dense weights, written
/// down from the papers: what is strided, padded, normalised, added, and in which order.
@Suite struct NetworkReferenceTests {
  private func check(
    _ network: any Network, side: Int, _ reference: (Reference, Image) -> [Double]
  ) throws {
    let input = SampleShape(channels: 3, height: side, width: side)
    let layers = network.layers(input: input, classes: 5)
    let allocation = try Configuration().changing { $0.sparsity = 0.5 }.allocate(
      layers.weightLayers)
    let model = try Model(
      layers, input: input, capacity: 3,
      connections: Dictionary(
        uniqueKeysWithValues: allocation.layers.map { ($0.name, $0.connections) }),
      isTraining: false)
    model.draw(seed: 5, initializer: Initializer(.heNormal))
    // Nothing is left at a value that would hide a mistake: 0 or 1.
    for (index, parameter) in model.parameters.enumerated() where parameter.shape.count == 1 {
      let values = randomValues(parameter.count, seed: UInt64(index))
      for place in 0..<parameter.count { parameter.values[place] = 0.7 + 0.3 * values[place] }
    }
    for (index, average) in model.averages.enumerated() {
      let values = randomValues(average.values.count, seed: UInt64(1000 + index))
      let isVariance = average.name.hasSuffix("var")
      for place in values.indices {
        average.values[place] = isVariance ? 1.5 + values[place] : 0.3 * values[place]
      }
    }
    let samples = randomValues(3 * input.count, seed: 9)
    let pass = Pass(pool: try ThreadPool(threads: 2), seed: 0)
    let logits = try model.forward(model.makeInput(samples), pass).values()
    let numbers = Reference(model)
    for sample in 0..<3 {
      let pixels = samples[sample * input.count..<(sample + 1) * input.count].map { Double($0) }
      let expected = reference(numbers, Image(channels: 3, side: side, values: pixels))
      let scale = expected.reduce(1e-3) { max($0, abs($1)) }
      for (place, value) in expected.enumerated() {
        let error = abs(Double(logits[sample * 5 + place]) - value)
        #expect(error < 1e-4 * scale, "sample \(sample), logit \(place): \(value)")
      }
    }
  }

  /// A setting's function, and the same in double precision.
  private func functions(
    _ kind: Configuration.ActivationKind
  ) -> (Activation, (Double) -> Double) {
    (kind.activation, kind.activation.exact)
  }

  @Test(arguments: [18, 50], Configuration.ActivationKind.allCases)
  func resNet(depth: Int, activation: Configuration.ActivationKind) throws {
    let (used, f) = functions(activation)
    try check(ResNet(depth: depth, multiplier: 0.0625, activation: used), side: 32) { net, image in
      var x = net.norm(net.convolve(image, "conv1", stride: 2, padding: 3), "bn1").applying(f)
      x = x.pooled(kernel: 3, stride: 2, padding: 1)
      let stages = depth == 18 ? [2, 2, 2, 2] : [3, 4, 6, 3]
      for (stage, blocks) in stages.enumerated() {
        for block in 0..<blocks {
          let name = "layer\(stage + 1).\(block)"
          let stride = stage > 0 && block == 0 ? 2 : 1
          func step(_ x: Image, _ number: Int, _ stride: Int, _ padding: Int) -> Image {
            net.norm(
              net.convolve(x, "\(name).conv\(number)", stride: stride, padding: padding),
              "\(name).bn\(number)")
          }
          let main =
            depth == 18
            ? step(step(x, 1, stride, 1).applying(f), 2, 1, 1)
            : step(step(step(x, 1, 1, 0).applying(f), 2, stride, 1).applying(f), 3, 1, 0)
          if net.has("\(name).downsample.0.weight") {
            x = net.norm(
              net.convolve(x, "\(name).downsample.0", stride: stride, padding: 0),
              "\(name).downsample.1")
          }
          x = (x + main).applying(f)
        }
      }
      return net.linear(x.means, "fc")
    }
  }

  @Test(arguments: Configuration.ActivationKind.allCases) func wideResNet(
    activation: Configuration.ActivationKind
  ) throws {
    let (used, f) = functions(activation)
    let network = WRN(depth: 16, width: 1, dropout: 0.3, multiplier: 0.5, activation: used)
    try check(network, side: 12) { net, image in
      var x = net.convolve(image, "conv1", padding: 1)
      for stage in 1...3 {
        for block in 0..<2 {
          let (name, stride) = ("layer\(stage).\(block)", stage > 1 && block == 0 ? 2 : 1)
          let shared = net.norm(x, "\(name).bn1").applying(f)
          let middle = net.convolve(shared, "\(name).conv1", stride: stride, padding: 1)
          let main = net.convolve(
            net.norm(middle, "\(name).bn2").applying(f), "\(name).conv2", padding: 1)
          x =
            main
            + (net.has("\(name).downsample.weight")
              ? net.convolve(shared, "\(name).downsample", stride: stride) : x)
        }
      }
      return net.linear(net.norm(x, "bn").applying(f).means, "fc")
    }
  }

  @Test(arguments: Configuration.ActivationKind.allCases) func mobileNet(
    activation: Configuration.ActivationKind
  ) throws {
    let (used, f) = functions(activation)
    try check(MobileNetV1(multiplier: 0.25, activation: used), side: 32) { net, image in
      var x = net.norm(net.convolve(image, "conv1", stride: 2, padding: 1), "bn1").applying(f)
      for (index, stride) in [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1].enumerated() {
        let name = "layer\(index + 1)"
        x =
          net.norm(
            net.convolve(x, "\(name).depthwise", stride: stride, padding: 1), "\(name).bn1"
          ).applying(f)
        x = net.norm(net.convolve(x, "\(name).pointwise"), "\(name).bn2").applying(f)
      }
      return net.linear(x.means, "fc")
    }
  }

  @Test(arguments: Configuration.ActivationKind.allCases) func vgg(
    activation: Configuration.ActivationKind
  ) throws {
    let (used, f) = functions(activation)
    try check(VGG16(dropout: 0.5, multiplier: 0.0625, activation: used), side: 64) { net, image in
      var (x, place) = (image, 0)
      for convolutions in [2, 2, 3, 3, 3] {
        for _ in 0..<convolutions {
          x = net.convolve(x, "features.\(place)", padding: 1)
          x = net.norm(x, "features.\(place + 1)").applying(f)
          place += 3
        }
        x = x.pooled(kernel: 2, stride: 2, padding: 0)
        place += 1
      }
      let hidden = net.linear(x.values, "classifier.0").map(f)
      return net.linear(net.linear(hidden, "classifier.3").map(f), "classifier.6")
    }
  }

  @Test(arguments: [28, 32], Configuration.ActivationKind.allCases)
  func leNet5(side: Int, activation: Configuration.ActivationKind) throws {
    let (used, f) = functions(activation)
    try check(LeNet5(activation: used), side: side) { net, image in
      var x = net.convolve(image, "conv1", padding: side == 28 ? 2 : 0).applying(f)
      x = x.pooled(kernel: 2, stride: 2, padding: 0)
      x = net.convolve(x, "conv2").applying(f).pooled(kernel: 2, stride: 2, padding: 0)
      let hidden = net.linear(x.values, "fc1").map(f)
      return net.linear(net.linear(hidden, "fc2").map(f), "fc3")
    }
  }
}

/// Values by channel, row and column.
private struct Image {
  let channels: Int
  let side: Int
  var values: [Double]

  subscript(channel: Int, y: Int, x: Int) -> Double? {
    guard (0..<side).contains(y), (0..<side).contains(x) else { return nil }
    return values[(channel * side + y) * side + x]
  }

  func applying(_ f: (Double) -> Double) -> Image {
    Image(channels: channels, side: side, values: values.map(f))
  }

  /// The mean of each channel.
  var means: [Double] {
    let count = side * side
    return (0..<channels).map {
      values[$0 * count..<($0 + 1) * count].reduce(0, +) / Double(count)
    }
  }

  static func + (one: Image, other: Image) -> Image {
    precondition(one.values.count == other.values.count, "a sum of different shapes")
    return Image(
      channels: one.channels, side: one.side, values: zip(one.values, other.values).map { $0 + $1 })
  }

  func pooled(kernel: Int, stride: Int, padding: Int) -> Image {
    let out = (side + 2 * padding - kernel) / stride + 1
    var values: [Double] = []
    for channel in 0..<channels {
      for place in 0..<out * out {
        let (y, x) = (place / out * stride - padding, place % out * stride - padding)
        let window = (0..<kernel * kernel).compactMap {
          self[channel, y + $0 / kernel, x + $0 % kernel]
        }
        values.append(window.max() ?? 0)
      }
    }
    return Image(channels: channels, side: out, values: values)
  }
}

/// A model's dense weights by name.
private struct Reference {
  private var tensors: [String: (shape: [Int], values: [Double])] = [:]

  init(_ model: Model) {
    for parameter in model.parameters {
      let layer = model.weightLayers.first { $0.weight === parameter }
      let values = layer?.dense(parameter.values) ?? parameter.values.array()
      tensors[parameter.name] = (parameter.shape, values.map { Double($0) })
    }
    for average in model.averages {
      tensors[average.name] = ([average.values.count], average.values.array().map { Double($0) })
    }
  }

  func has(_ name: String) -> Bool { tensors[name] != nil }

  private func values(_ name: String) -> [Double] { tensors[name]?.values ?? [] }

  func linear(_ x: [Double], _ name: String) -> [Double] {
    let (weight, bias) = (values("\(name).weight"), values("\(name).bias"))
    return bias.indices.map { row in
      x.indices.reduce(bias[row]) { $0 + weight[row * x.count + $1] * x[$1] }
    }
  }

  func norm(_ x: Image, _ name: String) -> Image {
    let (mean, variance) = (values("\(name).running_mean"), values("\(name).running_var"))
    let (gamma, beta) = (values("\(name).weight"), values("\(name).bias"))
    var result = x
    for index in x.values.indices {
      let channel = index / (x.side * x.side)
      let scaled = (x.values[index] - mean[channel]) / (variance[channel] + 1e-5).squareRoot()
      result.values[index] = gamma[channel] * scaled + beta[channel]
    }
    return result
  }

  /// A convolution, with a bias if there is one; depthwise if its kernels have one input channel.
  func convolve(_ x: Image, _ name: String, stride: Int = 1, padding: Int = 0) -> Image {
    let (shape, weight) = tensors["\(name).weight"] ?? ([0, 0, 1, 1], [])
    let (kernel, depth) = (shape[2], shape[1])
    let bias = tensors["\(name).bias"]?.values
    let out = (x.side + 2 * padding - kernel) / stride + 1
    var result: [Double] = []
    for output in 0..<shape[0] {
      let first = depth < x.channels ? output : 0
      for place in 0..<out * out {
        let (y, column) = (place / out * stride - padding, place % out * stride - padding)
        var sum = bias?[output] ?? 0
        for input in 0..<depth {
          for tap in 0..<kernel * kernel {
            guard let value = x[first + input, y + tap / kernel, column + tap % kernel] else {
              continue
            }
            sum += weight[(output * depth + input) * kernel * kernel + tap] * value
          }
        }
        result.append(sum)
      }
    }
    return Image(channels: shape[0], side: out, values: result)
  }
}
