// The presets of convolutional networks.

extension Preset {
  /// A network of small images, on the data that most machines have.
  private static func onFashionMNIST(_ configuration: inout Configuration) {
    configuration.padTo = 32
    configuration.augmentation = .padCropFlip
    configuration.weightDecay = 5e-4
  }

  /// Hours of training on two cores.
  static let wrn22 = Preset(
    "wrn-22-2", "WRN-22-2 on Fashion-MNIST padded to 32 × 32, 90 % sparse (ERK), 20 epochs"
  ) {
    $0.network = "wrn-22-2"
    onFashionMNIST(&$0)
  }

  /// The smallest of its kind.
  static let wrn10 = Preset(
    "wrn-10-2", "WRN-10-2 on Fashion-MNIST padded to 32 × 32, 90 % sparse (ERK), 10 epochs"
  ) {
    $0.network = "wrn-10-2"
    $0.epochs = 10
    onFashionMNIST(&$0)
  }

  /// Evci et al., 2020, appendix D: CIFAR-10's network and training. As in the authors' own run,
  /// images are padded by their mirror image, and the first layer is dense and out of the budget.
  static let cifarWRN = Preset(
    "cifar10-wrn-22-2", "WRN-22-2 on CIFAR-10 as in the RigL paper: 90 % (ERK), 97 656 steps"
  ) {
    let epoch = 391.0  // ceil(50 000 / 128) steps
    $0.data = "cifar-10"
    $0.validation = 0
    $0.augmentation = .padCropFlip
    $0.cropPaddingMode = .reflect
    $0.perImageStandardization = true
    $0.network = "wrn-22-2"
    $0.dropout = 0.3
    $0.layerSparsities = ["conv1": 0]
    $0.epochs = 250
    $0.totalSteps = 97_656
    $0.schedule = .step
    $0.milestones = [30_000 / epoch, 60_000 / epoch, 90_000 / epoch]
    $0.factor = 0.2
    $0.weightDecay = 5e-4
    $0.updateEnd = 75_000
  }

  /// What ResNet-50 and MobileNet have in common: 4096 samples a step, in batches of 128 so that
  /// batch-norm sees as many as on each of the paper's 32 cores. RigL's scores are of all 4096, as the
  /// paper sums the gradients of all cores.
  private static func onImageNet(_ configuration: inout Configuration) {
    configuration.data = "photos"
    configuration.validation = 0
    configuration.imageSize = 224
    configuration.augmentation = .randomResizedCrop
    configuration.sparsity = 0.8
    configuration.initializer = .truncatedNormal
    configuration.labelSmoothing = 0.1
    configuration.batchSize = 128
    configuration.accumulation = 32
    configuration.growthBatches = 0
    configuration.learningRate = 1.6
    configuration.schedule = .step
    configuration.factor = 0.1
    configuration.updateEnd = 25_000
  }

  /// Evci et al., 2020, section 4.1.
  static let resNet50 = Preset(
    "resnet-50",
    "ResNet-50 on ImageNet's photos as in the RigL paper: 80 % (ERK), 32 000 steps; batch-norm "
      + "sees 128 of a step's 4096 samples"
  ) {
    onImageNet(&$0)
    $0.network = "resnet-50"
    $0.linearDeviation = 0.01
    $0.epochs = 103
    $0.totalSteps = 32_000
    $0.warmupEpochs = 5
    $0.milestones = [30, 70, 90]
  }

  /// Evci et al., 2020, section 4.1; the classifier starts as the convolutions do.
  static let mobileNet = Preset(
    "mobilenet-v1",
    "MobileNet-v1 on ImageNet's photos as in the RigL paper: 75 % (ERK), 100 epochs; batch-norm "
      + "sees 128 of a step's 4096 samples"
  ) {
    onImageNet(&$0)
    $0.network = "mobilenet-v1"
    $0.sparsity = 0.75
    $0.epochs = 100
    $0.warmupEpochs = 8
    $0.milestones = [40, 75, 95]
  }
}
