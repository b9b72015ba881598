// swift-tools-version: 6.2
import PackageDescription

// Programs on swift-rigl, each a folder of Sources. They use what any package could: only `public`.
let strict: [SwiftSetting] = [.treatAllWarnings(as: .error)]

/// A program on the library, and on what the examples have in common.
func example(_ name: String) -> Target {
  .executableTarget(
    name: name, dependencies: ["Support", .product(name: "RigLCore", package: "swift-rigl")],
    swiftSettings: strict)
}

let package = Package(
  name: "swift-rigl-examples",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "swift-rigl", path: "..")],
  targets: [
    .target(
      name: "Support", dependencies: [.product(name: "RigLCore", package: "swift-rigl")],
      swiftSettings: strict),
    example("own-network-csv"),
    example("own-layer"),
    example("own-method"),
    example("fine-tuning"),
    example("predicting"),
    .executableTarget(
      name: "c-kernels", dependencies: [.product(name: "CSparseKernels", package: "swift-rigl")],
      linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .gnu17
)
