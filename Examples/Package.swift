// swift-tools-version: 6.2
import PackageDescription

// Programs on swift-rigl, each a folder of Sources. They use what any package could: only `public`.
let package = Package(
  name: "swift-rigl-examples",
  platforms: [.macOS(.v15)],
  dependencies: [.package(name: "swift-rigl", path: "..")],
  targets: [
    .executableTarget(
      name: "own-layer", dependencies: [.product(name: "RigLCore", package: "swift-rigl")])
  ],
  swiftLanguageModes: [.v6]
)
