import RigLCore
import Testing

/// What a model for prediction does otherwise than one in training: shared memory of outputs, folded
/// batch-norm, and images in strips. All must give the logits of a model that does none of it.
@Suite struct InferenceTests {
  /// Networks with every kind of layer and block, small.
  enum Case: String, CaseIterable {
    case wrn, wrnDropout, resNet18, resNet50, mobileNet, vgg, pools, nested, wide, activations

    var network: any Network {
      switch self {
      case .wrn: WRN(depth: 10, width: 1)
      case .wrnDropout: WRN(depth: 10, width: 1, dropout: 0.3)
      case .resNet18: ResNet(depth: 18, multiplier: 0.125)
      case .resNet50: ResNet(depth: 50, multiplier: 0.125)
      case .mobileNet: MobileNetV1(multiplier: 0.25)
      case .vgg: VGG16(multiplier: 0.125)
      case .pools: Pools()
      case .nested: Nested()
      case .wide: Wide()
      case .activations: Activations()
      }
    }

    /// Sides for which all strides divide the strips, and the strips there are.
    var cut: (side: Int, strips: Int) {
      switch self {
      case .wrn, .wrnDropout: (32, 8)
      case .resNet18, .resNet50, .mobileNet: (224, 7)
      case .vgg: (32, 1)
      case .pools: (24, 6)
      case .nested, .activations: (32, 8)
      // Strips of one row: windows reach over seven of them.
      case .wide: (8, 8)
      }
    }
  }

  /// Windows that overlap and windows that do not, an even kernel, and an odd number of strips.
  struct Pools: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(
        SparseConv2d("a", inputs: input.channels, outputs: 9, kernel: 5), ReLU(),
        Pool2d(.maximum, kernel: 3, stride: 2, padding: 1),
        SparseConv2d("b", inputs: 9, outputs: 7, kernel: 3, bias: true),
        BatchNorm("n", channels: 7),
        Pool2d(.average, kernel: 2), Dropout(0.5),
        SparseConv2d("c", inputs: 7, outputs: 8, kernel: 1), BatchNorm("m", channels: 8), ReLU(),
        GlobalAveragePool(), SparseLinear("fc", inputs: 8, outputs: classes))
    }
  }

  /// Branches that end in blocks and sequences.
  struct Nested: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      func conv(_ name: String) -> DenseConv2d {
        DenseConv2d(name, inputs: 4, outputs: 4, kernel: 3)
      }
      return Sequential(
        SparseConv2d("a", inputs: input.channels, outputs: 4, kernel: 3),
        Residual(
          main: [conv("b"), Residual(main: [conv("c")], activation: .relu)], activation: .relu),
        Residual(
          main: [
            conv("d"),
            Sequential(conv("e"), BatchNorm("n", channels: 4), ReLU(), conv("f")),
          ], activation: .relu),
        Residual(
          main: [
            conv("g"), Residual(main: [conv("h"), BatchNorm("m", channels: 4)], activation: .relu),
          ],
          shortcut: [conv("i"), Residual(main: [conv("j")], activation: .relu)], activation: .relu),
        GlobalAveragePool(), DenseLinear("fc", inputs: 4, outputs: classes))
    }
  }

  /// Functions whose value at 0 is not 0, and such that keep their input, in every place.
  struct Activations: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      func conv(_ name: String) -> SparseConv2d {
        SparseConv2d(name, inputs: 4, outputs: 4, kernel: 3)
      }
      return Sequential(
        SparseConv2d("a", inputs: input.channels, outputs: 4, kernel: 3),
        BatchNorm("n", channels: 4), Sigmoid(), conv("b"), BatchNorm("m", channels: 4), GELU(),
        conv("c"), Tanh(), LeakyReLU(0.1),
        Residual(
          before: [BatchNorm("l", channels: 4), SiLU()], main: [conv("d")], shortcut: [conv("e")]),
        Residual(main: [conv("f"), BatchNorm("k", channels: 4)], activation: .gelu),
        GlobalAveragePool(), DenseLinear("fc1", inputs: 4, outputs: 7), SiLU(),
        SparseLinear("fc2", inputs: 7, outputs: classes))
    }
  }

  /// Windows that are larger than strips.
  struct Wide: Network {
    func layers(input: SampleShape, classes: Int) -> Sequential {
      Sequential(
        DenseConv2d("a", inputs: input.channels, outputs: 4, kernel: 15), ReLU(),
        SparseConv2d("b", inputs: 4, outputs: 4, kernel: 5), BatchNorm("n", channels: 4), ReLU(),
        Pool2d(.maximum, kernel: 3, stride: 1, padding: 1),
        GlobalAveragePool(), DenseLinear("fc", inputs: 4, outputs: classes))
    }
  }

  /// A model with drawn weights and batch-norms that do something.
  private func made(
    _ network: any Network, side: Int, capacity: Int, isTraining: Bool = false,
    usesStrips: Bool = false
  ) throws -> Model {
    let input = SampleShape(channels: 3, height: side, width: side)
    let layers = network.layers(input: input, classes: 5)
    var connections: [String: Int] = [:]
    for layer in layers.weightLayers where layer.canBeSparse {
      connections[layer.name] = max(1, layer.inputs * layer.outputs / 3)
    }
    let model = try Model(
      layers, input: input, capacity: capacity, connections: connections, isTraining: isTraining,
      usesStrips: usesStrips)
    model.draw(seed: 3, initializer: Initializer(.heNormal))
    let random = CounterRandom(seed: 5, purpose: .weights, layer: 99)
    var index: UInt64 = 0
    func next() -> Float {
      index += 1
      return random.uniform(index)
    }
    for average in model.averages {
      let isVariance = average.name.hasSuffix("var")
      for channel in 0..<average.values.count {
        average.values[channel] = isVariance ? 0.5 + next() : next() - 0.5
      }
    }
    for parameter in model.parameters
    where !parameter.name.hasPrefix("fc") && parameter.shape.count == 1 {
      for channel in 0..<parameter.count { parameter.values[channel] += 0.5 + next() }
    }
    return model
  }

  private func logits(
    _ model: Model, samples: Int, threads: Int = 1, _ policy: ThreadPool.Policy = .adaptive
  ) throws -> [[Float]] {
    let pool = try ThreadPool(threads: threads)
    pool.setPolicy(policy)
    let pass = Pass(pool: pool, seed: 0)
    let input = model.makeInput()
    var all: [[Float]] = []
    for begin in stride(from: 0, to: samples, by: model.capacity) {
      input.samples = min(model.capacity, samples - begin)
      for sample in 0..<input.samples {
        for index in 0..<model.inputShape.count {
          input[sample, index] =
            Float((index &* 7919 &+ (begin + sample) &* 8191) % 1009) / 504 - 1
        }
      }
      let output = try model.forward(input, pass)
      #expect(output.samples == input.samples)
      for sample in 0..<input.samples {
        all.append((0..<output.shape.count).map { output[sample, $0] })
      }
    }
    return all
  }

  /// The largest distance, as a share of the largest logit.
  private func distance(_ a: [[Float]], _ b: [[Float]]) -> Float {
    let largest = a.joined().reduce(0) { max($0, abs($1)) }
    let apart = zip(a.joined(), b.joined()).reduce(0) { max($0, abs($1.0 - $1.1)) }
    #expect(a.count == b.count && largest > 0 && largest.isFinite)
    return apart / largest
  }

  @Test(arguments: Case.allCases)
  func sharedOutputsChangeNothing(_ test: Case) throws {
    let side = 32
    let kept = try made(test.network, side: side, capacity: 11, isTraining: true)
    let shared = try made(test.network, side: side, capacity: 11)
    #expect(try logits(kept, samples: 11) == logits(shared, samples: 11))
    #expect(try logits(kept, samples: 3) == logits(shared, samples: 3))
  }

  @Test(arguments: Case.allCases)
  func foldedNormsDifferByRounding(_ test: Case) throws {
    let plain = try made(test.network, side: 32, capacity: 3)
    let folded = try made(test.network, side: 32, capacity: 3)
    folded.foldBatchNorms()
    let expected = try logits(plain, samples: 3)
    let actual = try logits(folded, samples: 3)
    #expect(expected != actual, "nothing was folded")
    // Some fifty layers, each a rounding of its scale and one of its sums.
    #expect(distance(expected, actual) < 2e-5)
    folded.foldBatchNorms()
    #expect(try logits(folded, samples: 3) == actual, "folding twice is folding once")
  }

  @Test(arguments: Case.allCases)
  func stripsGiveTheSameLogits(_ test: Case) throws {
    let (side, strips) = test.cut
    let plain = try made(test.network, side: side, capacity: 1)
    let cut = try made(test.network, side: side, capacity: 1, usesStrips: true)
    #expect(plain.strips == 1)
    #expect(cut.strips == strips)
    let samples = side > 100 ? 1 : 2
    let expected = try logits(plain, samples: samples)
    // Only the global mean adds in another order.
    #expect(distance(expected, try logits(cut, samples: samples)) < 2e-6)
  }

  /// Where threads are more than bands, they share out channels; there are one to a few bands here.
  @Test(arguments: Case.allCases)
  func logitsDoNotDependOnThreads(_ test: Case) throws {
    let side = test.cut.side
    let cut = try made(test.network, side: side, capacity: 1, usesStrips: true)
    let whole = try made(test.network, side: 32, capacity: 8)
    for isFolded in [false, true] {
      if isFolded { [cut, whole].forEach { $0.foldBatchNorms() } }
      let image = try logits(cut, samples: 1)
      let batch = try logits(whole, samples: 3)
      for threads in [2, 3, 8] {
        for policy in ThreadPool.Policy.allCases where threads == 2 || policy == .always {
          #expect(
            try logits(cut, samples: 1, threads: threads, policy) == image,
            "an image, \(threads) threads, \(policy), folded: \(isFolded)")
          #expect(
            try logits(whole, samples: 3, threads: threads, policy) == batch,
            "a batch, \(threads) threads, \(policy), folded: \(isFolded)")
        }
      }
    }
  }

  @Test func oddSidesAreNotCut() throws {
    let input = try made(WRN(depth: 10, width: 1), side: 30, capacity: 1, usesStrips: true)
    #expect(input.strips == 1)
    let lenet = try made(LeNet5(), side: 32, capacity: 1, usesStrips: true)
    #expect(lenet.strips == 1)
  }
}
