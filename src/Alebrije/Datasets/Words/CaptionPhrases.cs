namespace Alebrije.Datasets.Words;

/// <summary>
/// Fixed parts of captions in one language. In patterns {0}, {1} and {2} are objects; for styles {0} is the whole description.
/// </summary>
internal sealed record CaptionPhrases
{
    public required string[] Frames { get; init; }

    /// <summary>{0} is the colour, {1} its indefinite article in English.</summary>
    public required string[] Backgrounds { get; init; }

    public required string[] Small { get; init; }

    public required string[] Large { get; init; }

    public required string[] Numbers { get; init; }

    /// <summary>Patterns for a relation; the objects in the scene's order.</summary>
    public required Dictionary<SceneRelation, string[]> Relations { get; init; }

    /// <summary>Whole sentences with definite objects; {2} is the verb "to be" agreeing with {0}.</summary>
    public required Dictionary<SceneRelation, string[]> Sentences { get; init; }

    /// <summary>Patterns that leave the relation open.</summary>
    public required string[] SideBySide { get; init; }

    /// <summary>Style patterns after which a background may follow.</summary>
    public required Dictionary<SceneStyle, string[]> StylesBefore { get; init; }

    /// <summary>Style patterns that end the caption.</summary>
    public required Dictionary<SceneStyle, string[]> StylesAfter { get; init; }

    public static CaptionPhrases English { get; } = new()
    {
        Frames =
        [
            "a picture of {0}", "a photo of {0}", "an image of {0}", "an emoji of {0}", "a drawing of {0}", "an illustration of {0}",
        ],
        Backgrounds = ["on {1} {0} background", "on {1} {0} background", "against {1} {0} background", "with {1} {0} background"],
        Small = ["small", "small", "tiny", "little"],
        Large = ["big", "large", "huge"],
        Numbers = ["", "", "two", "three", "four"],
        Relations = new()
        {
            [SceneRelation.LeftOf] = ["{0} to the left of {1}", "{0} left of {1}",
                "{1} to the right of {0}", "{0} on the left and {1} on the right"],
            [SceneRelation.RightOf] = ["{0} to the right of {1}", "{0} right of {1}",
                "{1} to the left of {0}", "{1} on the left and {0} on the right"],
            [SceneRelation.Above] = ["{0} above {1}", "{0} above {1}", "{1} below {0}", "{1} under {0}"],
            [SceneRelation.Below] = ["{0} below {1}", "{0} under {1}", "{1} above {0}", "{1} above {0}"],
            [SceneRelation.OnTopOf] = ["{0} on top of {1}"],
            [SceneRelation.Riding] = ["{0} riding {1}", "{0} riding {1}", "{0} riding on {1}", "{0} on {1}", "{0} on top of {1}"],
            [SceneRelation.Inside] = ["{0} inside {1}", "{0} inside of {1}"],
            [SceneRelation.InFrontOf] = ["{0} in front of {1}", "{0} in front of {1}", "{1} behind {0}"],
            [SceneRelation.Between] = ["{0} between {1} and {2}"],
        },
        Sentences = new()
        {
            [SceneRelation.LeftOf] = ["{0} {2} to the left of {1}"],
            [SceneRelation.RightOf] = ["{0} {2} to the right of {1}"],
            [SceneRelation.Above] = ["{0} {2} above {1}"],
            [SceneRelation.Below] = ["{0} {2} below {1}"],
            [SceneRelation.OnTopOf] = ["{0} {2} on top of {1}"],
            [SceneRelation.Riding] = ["{0} {2} riding {1}"],
            [SceneRelation.Inside] = ["{0} {2} inside {1}"],
            [SceneRelation.InFrontOf] = ["{0} {2} in front of {1}"],
        },
        SideBySide = ["{0} next to {1}", "{0} beside {1}"],
        StylesBefore = new()
        {
            [SceneStyle.PencilSketch] = ["a pencil sketch of {0}", "a pencil drawing of {0}", "a sketch of {0}"],
            [SceneStyle.BlackAndWhite] = ["a black and white picture of {0}", "a black and white photo of {0}"],
            [SceneStyle.PixelArt] = ["pixel art of {0}", "a pixel art picture of {0}", "a pixelated picture of {0}"],
            [SceneStyle.Blurred] = ["a blurred picture of {0}", "a blurry photo of {0}", "a blurry picture of {0}"],
            [SceneStyle.Night] = ["a night scene with {0}", "a picture of {0} at night"],
            [SceneStyle.BusyBackground] = ["a picture of {0} on a busy background"],
        },
        StylesAfter = new()
        {
            [SceneStyle.PencilSketch] = ["{0} drawn in pencil", "{0} in pencil"],
            [SceneStyle.BlackAndWhite] = ["{0} in black and white"],
            [SceneStyle.PixelArt] = ["{0} in pixel art", "{0} in pixel art style"],
            [SceneStyle.Blurred] = ["{0} in a blurred picture", "{0} out of focus"],
            [SceneStyle.Night] = ["{0} at night", "{0} at night"],
            [SceneStyle.BusyBackground] =
                ["{0} on a busy background", "{0} against a busy background", "{0} on a background of colored shapes"],
        },
    };

    public static CaptionPhrases Spanish { get; } = new()
    {
        Frames =
        [
            "una imagen de {0}", "una foto de {0}", "un emoji de {0}", "un dibujo de {0}", "una ilustración de {0}",
        ],
        Backgrounds = ["sobre un fondo {0}", "sobre un fondo {0}", "con un fondo {0}", "con fondo {0}", "en un fondo {0}"],
        Small = ["pequeño", "pequeño", "diminuto"],
        Large = ["grande", "grande", "enorme"],
        Numbers = ["", "", "dos", "tres", "cuatro"],
        Relations = new()
        {
            [SceneRelation.LeftOf] = ["{0} a la izquierda de {1}", "{0} a la izquierda de {1}",
                "{1} a la derecha de {0}", "{0} a la izquierda y {1} a la derecha"],
            [SceneRelation.RightOf] = ["{0} a la derecha de {1}", "{0} a la derecha de {1}",
                "{1} a la izquierda de {0}", "{1} a la izquierda y {0} a la derecha"],
            [SceneRelation.Above] = ["{0} por encima de {1}", "{0} arriba de {1}", "{1} debajo de {0}", "{1} por debajo de {0}"],
            [SceneRelation.Below] = ["{0} debajo de {1}", "{0} por debajo de {1}", "{1} por encima de {0}"],
            [SceneRelation.OnTopOf] = ["{0} encima de {1}", "{0} sobre {1}"],
            [SceneRelation.Riding] = ["{0} montando en {1}", "{0} montando en {1}",
                "{0} montando {1}", "{0} sobre {1}", "{0} en {1}", "{0} encima de {1}"],
            [SceneRelation.Inside] = ["{0} dentro de {1}", "{0} en el interior de {1}"],
            [SceneRelation.InFrontOf] = ["{0} delante de {1}", "{0} delante de {1}", "{1} detrás de {0}"],
            [SceneRelation.Between] = ["{0} entre {1} y {2}"],
        },
        Sentences = new()
        {
            [SceneRelation.LeftOf] = ["{0} {2} a la izquierda de {1}"],
            [SceneRelation.RightOf] = ["{0} {2} a la derecha de {1}"],
            [SceneRelation.Above] = ["{0} {2} por encima de {1}"],
            [SceneRelation.Below] = ["{0} {2} debajo de {1}"],
            [SceneRelation.OnTopOf] = ["{0} {2} encima de {1}"],
            [SceneRelation.Riding] = ["{0} {2} montando en {1}"],
            [SceneRelation.Inside] = ["{0} {2} dentro de {1}"],
            [SceneRelation.InFrontOf] = ["{0} {2} delante de {1}"],
        },
        SideBySide = ["{0} junto a {1}", "{0} al lado de {1}"],
        StylesBefore = new()
        {
            [SceneStyle.PencilSketch] = ["un dibujo a lápiz de {0}", "un boceto a lápiz de {0}", "un boceto de {0}"],
            [SceneStyle.BlackAndWhite] = ["una imagen en blanco y negro de {0}", "una foto en blanco y negro de {0}"],
            [SceneStyle.PixelArt] = ["pixel art de {0}", "una imagen pixelada de {0}", "arte de píxeles de {0}"],
            [SceneStyle.Blurred] = ["una imagen borrosa de {0}", "una foto borrosa de {0}", "una foto desenfocada de {0}"],
            [SceneStyle.Night] = ["una escena nocturna con {0}", "una imagen nocturna de {0}"],
            [SceneStyle.BusyBackground] = ["una imagen de {0} sobre un fondo recargado"],
        },
        StylesAfter = new()
        {
            [SceneStyle.PencilSketch] = ["{0} a lápiz"],
            [SceneStyle.BlackAndWhite] = ["{0} en blanco y negro"],
            [SceneStyle.PixelArt] = ["{0} en pixel art", "{0} en estilo pixel art"],
            [SceneStyle.Blurred] = ["{0} en una imagen borrosa", "{0} en una foto desenfocada"],
            [SceneStyle.Night] = ["{0} de noche", "{0} por la noche"],
            [SceneStyle.BusyBackground] =
                ["{0} sobre un fondo recargado", "{0} con un fondo recargado", "{0} sobre un fondo de formas de colores"],
        },
    };
}
