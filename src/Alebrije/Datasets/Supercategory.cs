using Alebrije.Datasets.Words;

namespace Alebrije.Datasets;

/// <summary>
/// A wider class of things: "a wild animal", "public transportation". Membership follows from groups, subgroups and lists.
/// </summary>
public sealed class Supercategory
{
    private readonly Term english;
    private readonly Term spanish;

    internal Supercategory(string english, string spanish, IReadOnlySet<int> members)
    {
        IsScene = english.EndsWith("scene", StringComparison.Ordinal) || english is "landscape" or "public transportation~";
        (this.english, this.spanish) = (Words.English.Parse(english), Words.Spanish.Parse(spanish));
        Members = members;
    }

    /// <summary>Indices of the concepts that belong to it.</summary>
    public IReadOnlySet<int> Members { get; }

    /// <summary>True if it names a whole image, such as "a road scene", rather than a thing in it.</summary>
    public bool IsScene { get; }

    /// <summary>The name without article: "wild animal", "animal salvaje".</summary>
    public string Name(Language language) => Term(language).Text;

    /// <summary>The name with its article, as in a caption: "a wild animal", "public transportation".</summary>
    public string Label(Language language) => language == Language.English
        ? Words.English.Indefinite(english, null, some: false)
        : Words.Spanish.Indefinite(spanish, null, some: false);

    internal Term Term(Language language) => language == Language.English ? english : spanish;
}

/// <summary>
/// The classes and their rules, a line each: <c>English | Spanish | rule</c>. A rule is a list of subgroups (<c>animal-bird</c>, a trailing
/// <c>*</c> for a prefix), groups (<c>g:Food &amp; Drink</c>), CLDR names (<c>+dog</c>) and exceptions (<c>-feather</c>).
/// </summary>
internal static class Supercategories
{
    private const string Domestic =
        "+dog face;+dog;+guide dog;+poodle;+cat face;+cat;+horse face;+horse;+donkey;+cow "
            + "face;+ox;+cow;+pig face;+pig;+ram;+ewe;+goat;+llama;"
        + "+rabbit face;+rabbit;+hamster;+turkey;+chicken;+rooster;+hatching chick;+baby chick;+front-facing baby chick;+duck;+goose";

    private const string Pets =
        "+dog face;+dog;+guide dog;+poodle;+cat face;+cat;+rabbit face;+rabbit;+hamster;+parrot;+tropical fish";

    private const string NotWild =
        "-dog face;-dog;-guide dog;-poodle;-cat face;-cat;-horse face;-horse;-donkey;-cow "
            + "face;-ox;-cow;-pig face;-pig;-ram;-ewe;-goat;-llama;"
        + "-rabbit face;-rabbit;-hamster;-turkey;-chicken;-rooster;-hatching "
            + "chick;-baby chick;-front-facing baby chick;-duck;-goose;-parrot;"
        + "-tropical fish;-mouse;-mouse face;-rat;-camel;-two-hump "
            + "camel;-unicorn;-paw prints;-pig nose;-feather;-wing;-dove;-bird;-mammoth;-dodo;"
        + "-dragon face;-dragon;-sauropod;-T-Rex;-spiral shell;-coral;-fish";

    private const string NotAnimal =
        "-unicorn;-paw prints;-pig nose;-feather;-wing;-dragon face;-dragon;-spiral shell;-coral;-spider web;-microbe";

    private const string Trains =
        "+locomotive;+railway car;+high-speed train;+bullet train;+train;+metro;+light "
            + "rail;+tram;+monorail;+mountain railway;+tram car;+suspension railway";

    private const string RoadVehicles =
        "+bus;+oncoming bus;+trolleybus;+minibus;+ambulance;+fire engine;+police car;+oncoming police car;+taxi;+oncoming taxi;+automobile;"
        + "+oncoming automobile;+sport utility vehicle;+pickup truck;+delivery "
            + "truck;+articulated lorry;+motorcycle;+motor scooter;+auto rickshaw";

    private const string Boats = "+sailboat;+canoe;+speedboat;+passenger ship;+ferry;+motor boat;+ship";

    private const string Aircraft = "+airplane;+small airplane;+airplane departure;+airplane arrival;+helicopter";

    private const string Rules = $"""
        animal | animal | animal-mammal;animal-bird;animal-amphibian;animal-reptile;animal-marine;animal-bug;{NotAnimal}
        wild animal | animal salvaje | animal-mammal;animal-bird;animal-amphibian;animal-reptile;animal-marine;{NotWild}
        domestic animal | animal doméstico | {Domestic}
        pet | mascota | {Pets}
        farm animal | animal de granja | +cow face;+cow;+ox;+pig face;+pig;+ram;+ewe;+goat;+chicken;+rooster;+turkey;+duck;+goose;+donkey;+horse;+baby chick;+hatching chick;+front-facing baby chick
        mammal | mamífero | animal-mammal;-unicorn;-paw prints;-pig nose;+spouting whale;+whale;+dolphin;+seal
        bird | pájaro | animal-bird;-feather;-wing;-hatching chick;-bird
        bug | bicho | animal-bug;-spider web;-microbe;-bug
        reptile | reptil | +crocodile;+turtle;+lizard;+snake;+sauropod;+T-Rex
        dinosaur | dinosaurio | +sauropod;+T-Rex
        sea animal | animal marino | animal-marine;-spiral shell;-coral;+crab;+lobster;+shrimp;+squid;+oyster
        flower | flor | plant-flower;-bouquet
        plant | planta | plant-*;-fallen leaf;-leaf fluttering in wind;-empty nest;-nest with eggs;-mushroom;-bouquet;-maple leaf
        tree | árbol | +evergreen tree;+palm tree;+Christmas tree;+tanabata tree
        fruit | fruta | food-fruit;-olive;-tomato
        vegetable | verdura | food-vegetable;-peanuts;-chestnut;-ginger root;-mushroom;+tomato
        food~ | comida~ | food-*
        seafood~ | marisco~ | food-marine
        sweet treat | dulce | food-sweet
        drink | bebida | drink;-baby bottle;-teapot;-ice;-pouring liquid
        dishware~ | vajilla~ | dishware
        vehicle | vehículo | {Trains};{RoadVehicles};{Boats};{Aircraft};+racing car;+tractor;+bicycle;+kick scooter
        public transportation~ | transporte público~ | {Trains};+bus;+oncoming bus;+trolleybus;+ferry;+taxi;+oncoming taxi;+minibus;+aerial tramway;+mountain cableway
        road scene | escena de carretera | {RoadVehicles};+bicycle;+racing car;+bus stop;+motorway;+vertical traffic light;+horizontal traffic light;+stop sign;+construction
        land vehicle | vehículo terrestre | {Trains};{RoadVehicles};+racing car;+tractor;+bicycle
        boat | embarcación | {Boats}
        aircraft | aeronave | {Aircraft}
        spacecraft | nave espacial | +rocket;+flying saucer;+satellite
        building | edificio | place-building;place-religious;-brick;-rock;-wood;-building construction;-Statue of Liberty
        landscape | paisaje | +snow-capped mountain;+mountain;+volcano;+mount fuji;+desert;+desert island;+national park;+beach with umbrella;+camping;+sunrise;+sunrise over mountains;+sunset
        place of worship | lugar de culto | place-religious;-kaaba
        musical instrument | instrumento musical | musical-instrument
        piece of clothing | prenda de vestir | clothing;-glasses;-sunglasses;-goggles;-purse;-handbag;-clutch bag;-shopping bags;-backpack;-folding hand fan;-hair pick;-prayer beads;-lipstick;-ring;-gem stone;-crown
        shoe | zapato | +thong sandal;+running shoe;+hiking boot;+flat shoe;+woman’s sandal;+woman’s boot;+ballet shoes
        piece of headwear | prenda para la cabeza | +top hat;+graduation cap;+billed cap;+military helmet;+rescue worker’s helmet
        bag | bolsa | +handbag;+clutch bag;+shopping bags;+backpack;+purse
        tool | herramienta | +hammer;+axe;+pick;+hammer and pick;+hammer and wrench;+carpentry saw;+wrench;+screwdriver;+clamp
        weapon | arma | +dagger;+crossed swords;+bomb;+bow and arrow;+boomerang
        sports equipment~ | material deportivo~ | sport;-flag in hole
        ball | pelota | +soccer ball;+baseball;+softball;+basketball;+volleyball;+american football;+rugby football;+tennis
        household object | objeto de la casa | household;-elevator;-bubbles;-shopping cart
        piece of furniture | mueble | +bed;+couch and lamp;+chair;+mirror
        smiley | emoticono | face-*;-ogre;-goblin;-ghost;-alien;-alien monster;-robot;-skull;-skull and crossbones;-pile of poo;-exploding head
        heart symbol | símbolo de corazón | heart;-love letter;+heart suit
        hand gesture | gesto con la mano | hand-*;hands;-selfie;-nail polish;-writing hand
        body part | parte del cuerpo | body-parts;-mechanical arm;-mechanical leg
        person | persona | person;person-gesture;person-role;person-activity;person-sport;person-resting;-people with bunny ears;-people wrestling;-horse racing;-person
        fantasy creature | criatura fantástica | person-fantasy;+unicorn;+dragon;+dragon face;+ghost;+ogre;+goblin;-baby angel;-Santa Claus;-Mrs. Claus;-superhero;-supervillain
        moon phase | fase de la luna | +new moon;+waxing crescent moon;+first quarter moon;+waxing gibbous moon;+full moon;+waning gibbous moon;+last quarter moon;+waning crescent moon;+crescent moon
        weather symbol | símbolo del tiempo | +cloud;+sun;+sun behind cloud;+cloud with lightning and rain;+sun behind small cloud;+sun behind large cloud;+sun behind rain cloud;+cloud with rain;+cloud with snow;+cloud with lightning;+tornado;+fog;+snowflake;+umbrella with rain drops
        toy | juguete | +yo-yo;+kite;+water pistol;+teddy bear;+nesting dolls;+piñata;+puzzle piece;+game die
        medal | medalla | award-medal;-trophy
        electronic device | aparato electrónico | phone;computer;+television;+camera;+camera with flash;+video camera;+radio;-electric plug;-abacus;-computer disk;-floppy disk;-optical disk;-dvd;-battery;-low battery
        book | libro | +closed book;+open book;+green book;+blue book;+orange book
        money~ | dinero~ | +money bag;+coin;+yen banknote;+dollar banknote;+euro banknote;+pound banknote;+money with wings
        office item | artículo de oficina | office;writing
        scientific instrument | instrumento científico | +alembic;+test tube;+petri dish;+microscope;+telescope;+stethoscope
        """;

    /// <summary>Makes the classes and gives each concept its own.</summary>
    /// <exception cref="InvalidDataException">A rule names a concept or a subgroup that does not exist.</exception>
    public static IReadOnlyList<Supercategory> Assign(IReadOnlyList<Concept> concepts, IReadOnlyDictionary<string, Concept> byStandardName)
    {
        var all = new List<Supercategory>();
        foreach (var line in Rules.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var fields = line.Split('|', StringSplitOptions.TrimEntries);
            var rule = fields[2].Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            all.Add(new Supercategory(fields[0], fields[1], Members(rule, concepts, byStandardName)));
        }
        foreach (var concept in concepts)
            concept.Supercategories = [.. all.Where(category => category.Members.Contains(concept.Index))];
        return all;
    }

    private static HashSet<int> Members(string[] rule, IReadOnlyList<Concept> concepts, IReadOnlyDictionary<string, Concept> byStandardName)
    {
        var members = new HashSet<int>();
        foreach (var part in rule.Where(part => part[0] != '-'))
        {
            if (part[0] == '+')
                members.Add(Named(part[1..]).Index);
            else
                members.UnionWith(concepts.Where(concept => Matches(concept.Subgroup, part)).Select(concept => concept.Index));
        }
        foreach (var part in rule.Where(part => part[0] == '-'))
            members.Remove(Named(part[1..]).Index);
        return members;

        Concept Named(string name) => byStandardName.TryGetValue(name, out var concept)
            ? concept
            : throw new InvalidDataException(
                $"Unicode's files have no \"{name}\", which the classes of the world name; install CLDR 41 or newer.");
    }

    private static bool Matches(string subgroup, string part) =>
        part.EndsWith('*') ? subgroup.StartsWith(part[..^1], StringComparison.Ordinal) : subgroup == part;
}
