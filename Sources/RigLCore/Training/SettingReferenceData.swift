// The settings of data, network and sparsity.

extension SettingReference {
  /// The library's names of data; those that only a folder's contents say come last.
  private static let names = [true, false].flatMap { isListed in
    DatasetFormat.builtIn.filter { $0.isListed == isListed }.map(\.name)
  }

  static let dataSettings: [SettingReference] = [
    SettingReference(
      .data, .data,
      .described(
        "\(names.joined(separator: ", ")); --data also takes a folder's path"
      ),
      "Where samples come from. All but fashion-mnist and the synthetic ones need data_folder."),
    SettingReference(
      .trainSamples, .data, .whole(1...1 << 32),
      "Training samples to take, not all. Which ones: see split.",
      unset: "all"),
    SettingReference(
      .testSamples, .data, .whole(1...Int.max),
      "Test samples to take, not all. Which ones: see split.",
      unset: "all"),
    SettingReference(
      .validation, .data, .whole(0...Int.max),
      "Training samples held out for validation; 0: none. They tell after each epoch how well the "
        + "network does, and which weights were best. Of photos roughly so many are: a half, a "
        + "quarter, an eighth and so on, and at least one of each class.",
      unset: "a tenth, at most 5000; at least one of each class",
      for: "data without validation samples of its own"),
    SettingReference(
      .split, .data,
      words(Configuration.Split.self) {
        switch $0 {
        case .random: "drawn by a fixed rule from each sample's index, or a photo's path"
        case .sequential: "the first ones, for validation the last ones; not for photos"
        }
      },
      "Which samples the parts of a set are. It holds for validation, train_samples and test_samples; "
        + "the seed has no part in it."),
    SettingReference(
      .validateOnTest, .data, .flag,
      "Takes the test samples for validation. None are held out then, and the best weights' "
        + "accuracy is not one on unseen data."),
    SettingReference(
      .augmentation, .data,
      words(Configuration.Augmentation.self) {
        switch $0 {
        case .none: "training samples are as evaluation sees them"
        case .padCropFlip:
          "small images: a random crop of the padded image, half of them mirrored"
        case .randomResizedCrop:
          "photos: a random part of the picture, resized, half of them mirrored"
        }
      },
      "What training samples go through at random. It is drawn anew in each epoch, and works against "
        + "overfitting."),
    SettingReference(
      .cropPadding, .data, .whole(1...1024),
      "Pixels on each side that crops may take in.", for: "augmentation pad_crop_flip"),
    SettingReference(
      .cropPaddingMode, .data,
      words(CropPaddingMode.self) {
        switch $0 {
        case .constant: "black"
        case .reflect: "the image mirrored at its border pixels, which are not repeated"
        }
      },
      "What those pixels are.", for: "augmentation pad_crop_flip"),
    SettingReference(
      .padTo, .data, .whole(1...4096),
      "The side that images are padded to with black. They stand in the middle of the square; "
        + "networks for CIFAR want 32.",
      unset: "images stay as large as they are", for: "small images, not photos"),
    SettingReference(
      .imageSize, .data, .whole(8...4096),
      "The side of the square that photos are resized to. Of synthetic-color, of what is generated. "
        + "Half the side takes a quarter of the time.",
      unset: "224 for photos, 32 for synthetic-color", for: "data photos or synthetic-color"),
    SettingReference(
      .normalization, .data, .described(Configuration.Normalization.expected),
      "What pixels go through last. From 0 to 1, they become (pixel - mean) / deviation. standard takes "
        + "the mean and deviation of the data, for photos ImageNet's; none leaves pixels as they are; imagenet "
        + "takes ImageNet's, as torchvision's networks do. An imported network needs what it was "
        + "trained with: docs/interchange.md.",
      for: "per_image_standardization false"),
    SettingReference(
      .perImageStandardization, .data, .flag,
      "Normalizes each image by its own mean and deviation. What normalization says then has no effect."
    ),
  ]

  static let networkSettings: [SettingReference] = [
    SettingReference(
      .network, .network, .described(NetworkName.known.joined(separator: ", ")),
      "The kind of network. mlp is linear layers with activations between; wrn-D-K is a wide ResNet of "
        + "depth D (10, 16, 22, 28, …) and width K. Convolutional networks suit pictures better."),
    SettingReference(
      .hidden, .network, .described("a list of whole numbers from 1, as [300, 100]; []: none"),
      "Units of each hidden layer.", for: "network mlp"),
    SettingReference(
      .widthMultiplier, .network, .number(0.01...100),
      "How many times wider layers are than named. In the names of networks, or by hidden."),
    SettingReference(
      .match, .network,
      words(Configuration.Match.self) {
        switch $0 {
        case .flops: "FLOPs of a forward pass on one sample"
        case .parameters: "connections and biases"
        }
      },
      "What a width is matched by. It is the largest whose figure is not exceeded.",
      for: "method small-dense, and big_sparse"),
    SettingReference(
      .bigSparse, .network, .flag,
      "Widens to what the dense network costs. That is the dense one of width_multiplier; the width of "
        + "the sparse one is computed before the training begins. Also --big-sparse.",
      for: "every method but dense and small-dense"),
    SettingReference(
      .matchedWidth, .network, .described("a number from 0.000001 to 1000"),
      "The width multiplier that a match came to. A training computes it, and its run saves it.",
      unset: "computed for small-dense and big_sparse; else width_multiplier holds"),
    SettingReference(
      .activation, .network,
      words(Configuration.ActivationKind.self) {
        switch $0 {
        case .relu: "max(0, x)"
        case .leakyReLU: "x, or 0.01 x where x is negative"
        case .gelu: "x Φ(x), exactly by erf; training keeps each x of linear layers, too"
        case .silu: "x / (1 + e⁻ˣ); training keeps each x of linear layers, too"
        case .tanh: "the hyperbolic tangent"
        case .sigmoid: "1 / (1 + e⁻ˣ)"
        }
      },
      "The function after hidden layers. Weights start as initializer says, whatever it is."),
    SettingReference(
      .dropout, .network, .below(1),
      "The probability that an activation is left out. It is drawn anew for each training step, "
        + "and works against overfitting.",
      for: "network mlp, wrn-D-K or vgg-16; the others have no place for it"),
    SettingReference(
      .initializer, .network,
      words(Initializer.Distribution.self) {
        switch $0 {
        case .glorotUniform: "uniform, of variance 2 / (inputs + outputs)"
        case .glorotNormal: "normal, of variance 2 / (inputs + outputs)"
        case .heUniform: "uniform, of variance 2 / inputs"
        case .heNormal: "normal, of variance 2 / inputs"
        case .truncatedNormal: "normal, of variance 1 / inputs, cut off at two deviations"
        }
      },
      "The distribution that weights start from."),
    SettingReference(
      .initializerCountsConnections, .network, .flag,
      "Scales weights by a neuron's own connections. Its inputs are then those that it is connected "
        + "to, so that signals of very sparse layers do not fade.",
      for: sparse),
    SettingReference(
      .linearDeviation, .network, .below(.infinity),
      "The deviation that linear layers start with. Their weights are then normal, whatever the "
        + "initializer.",
      unset: "the initializer's"),
  ]

  static let sparsitySettings: [SettingReference] = [
    SettingReference(
      .method, .sparsity,
      words(Configuration.Method.self) {
        $0.summary
      },
      "Which connections move while the network trains. Papers are listed by: rigl methods."),
    SettingReference(
      .sparsity, .sparsity, .below(1),
      "The share of connections that are left out. 0.9 keeps one in ten, over the layers that take "
        + "part in the distribution.",
      for: sparse),
    SettingReference(
      .distribution, .sparsity,
      words(SparsityDistribution.Kind.self) {
        switch $0 {
        case .uniform: "each layer is as sparse as the others, the first one dense"
        case .erdosRenyi: "small layers are less sparse, by inputs and outputs"
        case .erdosRenyiKernel: "small layers are less sparse, by kernels too: most accurate"
        }
      },
      "How layers share the connections that are left.", for: sparse),
    SettingReference(
      .layerSparsities, .sparsity,
      .described("a mapping of layers' names to numbers from 0 to below 1, as {fc1: 0.98, fc3: 0}"),
      "The sparsity of single layers by name. They then take no part in the distribution; rigl flops "
        + "and --dry-run list the names.",
      for: sparse),
    SettingReference(
      .layerSparsityFactors, .sparsity,
      .described(
        "a mapping of layers' names to numbers of at least 0, as {fc1: 1, fc2: 0.9, fc3: 0}"),
      "The sparsity of single layers, as factors of sparsity. A layer in layer_sparsities too has that "
        + "one.",
      for: sparse),
    SettingReference(
      .firstLayerSparse, .sparsity, .flag, "Makes the first layer sparse too.",
      for: "distribution uniform; the others do so in any case"),
    SettingReference(
      .lastLayerDense, .sparsity, .flag,
      "Leaves the last layer dense. It then takes no part in the distribution.",
      for: sparse),
    SettingReference(
      .topologyScope, .sparsity,
      words(TopologyScope.self) {
        switch $0 {
        case .layer: "each layer's own, which keeps its own share"
        case .global: "those of all layers in one pool: layers may keep any number"
        }
      },
      "Which connections are ranked together.",
      unset: "global for granet, layer for the others",
      for: "method " + Configuration.Method.names { $0.hasScope }),
    SettingReference(
      .layerMinimum, .sparsity, .whole(0...Int.max),
      "Connections that each layer keeps at the least. Others have as many fewer.",
      for: "topology_scope global"),
    SettingReference(
      .initialSparsity, .sparsity, .below(1),
      "The sparsity that the training begins with. 0: every connection is there; else they are drawn "
        + "by the distribution.", for: pruning),
    SettingReference(
      .pruneBegin, .sparsity, .whole(0...1 << 50), "The step at which pruning begins.",
      unset: "a fifth of the training; its beginning for granet", for: pruning),
    SettingReference(
      .pruneEnd, .sparsity, .whole(0...1 << 50),
      "The step from which on the sparsity is the final one. It falls fast at first, by a third power.",
      unset: "three quarters of the training; half of it for granet", for: pruning),
    SettingReference(
      .lotteryRounds, .sparsity, .whole(1...1000),
      "Rounds of training, pruning and rewinding (r). 1: one-shot; round i keeps (1 - sparsity)^(i/r) "
        + "of the positions, and then the ticket has a training of its own.", for: lottery),
    SettingReference(
      .rewindStep, .sparsity, .whole(0...1 << 50),
      "The step that rounds go back to (k). 0: the initialisation; the multiplier stretches it.",
      for: lottery),
    SettingReference(
      .ticketControl, .sparsity,
      words(Configuration.TicketControl.self) {
        switch $0 {
        case .rewound: "what its connections were at rewind_step"
        case .fresh: "weights drawn anew, at rewind_step 0; a control"
        case .shuffled: "as many connections a layer, at positions drawn anew; a control"
        }
      },
      "What the ticket starts its own training with.", for: lottery),
    SettingReference(
      .ticketMethod, .sparsity,
      words(Configuration.TicketMethod.self) {
        switch $0 {
        case .static: "nothing"
        case .rigl: "rigl, by its settings of updates"
        }
      },
      "What moves connections in the ticket's own training.", for: lottery),
    SettingReference(
      .storageBelow, .sparsity, .number(0...1),
      "The density below which a layer is stored sparsely. Above it, dense sums are quicker; results "
        + "differ by rounding.",
      for: "method " + Configuration.Method.names { $0.startsLarger || $0 == .snfs }),
  ]

  static let updateSettings: [SettingReference] = [
    SettingReference(
      .updateInterval, .updates, .whole(1...1 << 50),
      "Weight steps from one topology update to the next (ΔT). An update of RigL takes the place "
        + "of a weight step.",
      for: "method " + Configuration.Method.names { $0.movesConnections || $0 == .pruning }),
    SettingReference(
      .updateBegin, .updates, .whole(0...1 << 50), "The first step with an update.", for: moving),
    SettingReference(
      .updateEnd, .updates, .whole(0...1 << 50),
      "The last step that may have an update. Weights can settle afterwards.",
      unset: "three quarters of the training", for: moving),
    SettingReference(
      .updateForever, .updates, .flag,
      "Never ends updates. Not together with update_end, nor with cosine or inverse_power "
        + "annealing.",
      for: moving),
    SettingReference(
      .dropFraction, .updates, .number(0...1),
      "The share of connections that the first update moves (α). Later ones move fewer, see "
        + "annealing.", unset: "0.5 for granet, 0.3 for the others", for: moving),
    SettingReference(
      .annealing, .updates,
      words(UpdateSchedule.Annealing.self) {
        switch $0 {
        case .constant: "it does not"
        case .cosine: "along half a cosine, to 0 at the last update"
        case .inversePower: "as a power of the time that is left"
        case .learningRate: "as the learning rate does"
        }
      },
      "How drop_fraction shrinks from update to update.", for: moving),
    SettingReference(
      .annealingPower, .updates, .positive, "The power of inverse_power annealing.",
      for: "annealing inverse_power"),
    SettingReference(
      .newWeights, .updates,
      words(Configuration.NewWeights.self) {
        switch $0 {
        case .zero: "zero, as in the paper"
        case .fresh: "drawn by the initializer"
        case .normal: "normal, of the deviation of the layer's weights"
        case .uniform: "uniform, within the mean magnitude of the layer's weights"
        case .gradient: "the gradient there, where updates have one: not of set or snfs"
        case .gradientSign: "the gradient's sign, likewise"
        }
      },
      "The weight that a grown connection starts with.", for: moving),
    SettingReference(
      .newWeightDivisor, .updates, .described("a number other than 0"),
      "What the weight of a grown connection is divided by (d).", for: "new_weights other than zero"
    ),
    SettingReference(
      .growthBatches, .updates, .whole(0...1_000_000),
      "Batches whose mean gradient growth looks at (n). An update consumes so many, in several passes "
        + "over them where their sums do not fit into growth_buffer; 0: as many as accumulation.",
      for: "method " + Configuration.Method.names { $0.growsByGradient }),
    SettingReference(
      .updateThenStep, .updates, .flag,
      "Follows an update by a weight step on the same batch. No batch is then spent on updates "
        + "alone; growth has to look at as many as accumulation has.",
      for: "method " + Configuration.Method.names { $0.seesGradient }),
    SettingReference(
      .momentDecay, .updates, .below(1),
      "How slowly the running mean of gradients changes (μ).", for: "method snfs"),
    SettingReference(
      .candidates, .updates, .number(0...1000),
      "Candidates for growth for each connection (γ). Where there are too few, the rest "
        + "is grown at random.", for: "method gse"),
    SettingReference(
      .redistribution, .updates, .flag,
      "Hands connections over between layers. To those whose running mean of gradients is larger.",
      for: "method snfs"),
  ]

  private static let moving = "method " + Configuration.Method.names { $0.movesConnections }
  private static let lottery = "method lottery"
  private static let sparse = "every method but dense"
  private static let pruning = "method " + Configuration.Method.names { $0.prunes }
}
