/// A configuration with a name.
public struct Preset: Sendable {
  /// The preset's name, as `--preset` takes it.
  package let name: String
  /// The network and training, in a line.
  package let summary: String
  /// The configuration.
  public let configuration: Configuration

  /// All presets, by name.
  package static let all = [
    demo, lenet300, lenet300Paper, mlp1000, mlp1568, wrn10, wrn22, cifarWRN, mobileNet, resNet50,
  ]

  /// The preset of a name; nil if there is none.
  package static func named(_ name: String) -> Preset? { all.first { $0.name == name } }

  /// The preset of a name.
  ///
  /// - Throws: a configuration error that names the nearest ones, or says that it is a network.
  public static func find(_ name: String) throws(RigLError) -> Preset {
    if let preset = named(name) { return preset }
    let names = all.map(\.name)
    let question = suggestion(for: name, in: names, or: NetworkName.examples) {
      "the network: --set network=\($0)"
    }
    let known = "Known: \(names.joined(separator: ", "))."
    let isNetwork = (try? NetworkName(name)) != nil
    let hint =
      isNetwork
      ? "It is a network: --set network=\(name)" : (question.map { "\($0) " } ?? "") + known
    throw RigLError(.configuration, "there is no preset '\(shortened(name))'", hint: hint)
  }

  init(
    _ name: String, _ summary: String, _ change: (inout Configuration) -> Void
  ) {
    self.name = name
    self.summary = summary
    var configuration = Configuration()
    change(&configuration)
    configuration.bindRateToOptimizer()
    configuration.borrow(configuration.written())
    self.configuration = configuration
  }

  /// 2048 units wide, a minute of training in all.
  static let demo = Preset("demo", "784-2048-2048-10, 95 % sparse (ERK), 3 epochs: a first look") {
    $0.hidden = [2048, 2048]
    $0.sparsity = 0.95
    $0.epochs = 3
    $0.learningRate = 0.1
  }

  /// The training that masked implementations were measured with.
  static let lenet300 = Preset(
    "lenet-300-100", "784-300-100-10, 98 % sparse (ERK), 20 epochs, cosine learning rate"
  ) {
    $0.sparsity = 0.98
    $0.validation = 0
  }

  /// Evci et al., 2020, appendix B: MNIST's network and training.
  static let lenet300Paper = Preset(
    "lenet-300-100-paper", "784-300-100-10 as in the RigL paper: 98 %, 88.2 %, 0 %, 200 epochs"
  ) {
    $0.sparsity = 0.98
    $0.layerSparsityFactors = ["fc1": 1, "fc2": 0.9, "fc3": 0]
    $0.validation = 0
    $0.epochs = 200
    $0.batchSize = 100
    $0.learningRate = 0.2
    $0.schedule = .step
    $0.milestones = [75, 95]
    $0.factor = 1.0 / 3
    $0.updateEnd = 50_000
  }

  /// The ultra-sparse protocol of CHTs (Zhang et al., NeurIPS 2025, arXiv 2501.19107): pruning and
  /// GraNet begin half sparse.
  static let mlp1568 = Preset(
    "mlp-1568x3", "784-1568-1568-1568-10 at 99 % (uniform), 100 epochs: an ultra-sparse protocol"
  ) {
    $0.validation = 0
    $0.hidden = [1568, 1568, 1568]
    $0.distribution = .uniform
    $0.firstLayerSparse = true
    $0.lastLayerDense = true
    $0.sparsity = 0.99
    $0.initialSparsity = 0.5
    $0.updateInterval = 1875  // an epoch
    $0.updateBegin = 1875
    $0.updateForever = true
    $0.dropFraction = 0.3
    $0.annealing = .constant
    $0.epochs = 100
    $0.batchSize = 32
    $0.learningRate = 0.025
    $0.schedule = .linear
    $0.minLearningRate = 2.5e-4
    $0.nesterov = false
    $0.weightDecay = 5e-4
  }

  /// The published protocol of SET's authors on 5000 and 1000 samples.
  static let mlp1000 = Preset(
    "mlp-1000x3",
    "784-1000-1000-1000-10 by SET's protocol: 5000 samples, 96.95 % sparse, 400 epochs"
  ) {
    $0.split = .sequential
    $0.trainSamples = 5000
    $0.testSamples = 1000
    $0.validation = 0
    $0.validateOnTest = true
    $0.hidden = [1000, 1000, 1000]
    $0.dropout = 0.2
    $0.initializer = .heUniform
    $0.newWeights = .fresh
    $0.method = .set
    $0.distribution = .erdosRenyi
    $0.sparsity = 1 - 85_192.0 / 2_794_000
    $0.epochs = 400
    $0.batchSize = 40
    $0.learningRate = 0.05
    $0.nesterov = false
    $0.weightDecay = 0
    // The protocol takes 2e-4 of a weight away each step, whatever the learning rate (0.05).
    $0.decoupledWeightDecay = 2e-4 / 0.05
    $0.schedule = .constant
    $0.updateInterval = 125
    $0.updateBegin = 125
    $0.updateForever = true
    $0.annealing = .constant
  }
}
