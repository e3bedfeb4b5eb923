namespace Alebrije.Datasets.Words;

/// <summary>
/// Natural terms that CLDR's names lack, a line per concept: <c>CLDR name | English terms | Spanish terms</c>. The first term is
/// the name, the others are synonyms; <c>+</c> keeps CLDR's name in first place, <c>=</c> drops it altogether, and otherwise it stays as
/// the last synonym. A term ending in <c>~</c> is a mass noun, in <c>!</c> a proper name; <c>/</c> gives a plural that the rules do not.
/// </summary>
internal static partial class CuratedWords
{
    private const string Nature = """
        monkey | + | +simio
        dog face | +dog | +perro
        dog | + | +can
        guide dog | + | +perro lazarillo
        poodle | + | +perro caniche
        cat face | +cat | +gato
        cat | +house cat | +minino
        tiger face | +tiger | +tigre
        horse face | +horse | +caballo
        moose | + | alce
        donkey | + | burro,asno
        horse | +racehorse | +
        cow face | +cow | +vaca
        ox | +bull | +toro
        bison | + | bisonte
        pig face | +pig | +cerdo
        pig | + | +puerco,cochino
        boar | +wild boar | +cerdo salvaje
        pig nose | +pig snout | +
        ram | +male sheep | +
        ewe | sheep | +
        camel | +one-hump camel,dromedary | +
        two-hump camel | +bactrian camel | +camello bactriano
        llama | +alpaca | +alpaca
        mammoth | +woolly mammoth | +
        rhinoceros | +rhino | +
        hippopotamus | +hippo | +
        mouse face | +mouse | +ratón
        rabbit face | +bunny face | +conejo
        rabbit | +bunny | +conejito
        chipmunk | +squirrel | +
        panda | +panda bear | +panda
        badger | +honey badger | +
        chicken | +hen | +
        hatching chick | + | pollito en el cascarón
        baby chick | chick | +polluelo
        front-facing baby chick | front-facing chick | +
        dove | +white dove | +
        wing | + | ala
        goose | + | ganso,oca
        owl | + | +lechuza
        dodo | +dodo bird | +
        parrot | + | +papagayo,loro
        crocodile | + | +caimán
        turtle | +tortoise | +
        lizard | + | +lagartija
        snake | +serpent | +culebra
        dragon face | +dragon head | +
        sauropod | +brachiosaurus,brontosaurus | +braquiosaurio
        T-Rex | T-rex,Tyrannosaurus rex | tiranosaurio,t-rex
        spouting whale | + | ballena soltando un chorro
        seal | +sea lion | +león marino
        blowfish | +pufferfish | +
        spiral shell | +seashell | +caracola
        coral | coral~ | +
        jellyfish | + | medusa
        bug | caterpillar | oruga
        honeybee | bee | +
        lady beetle | ladybug,ladybird | +
        cricket | +grasshopper | +saltamontes
        cockroach | +roach | +
        spider web | +cobweb | telaraña
        worm | +earthworm | +lombriz
        microbe | +bacterium | +bacteria
        bouquet | +bouquet of flowers | +
        lotus | +lotus flower | +flor de loto
        rose | +red rose | +
        wilted flower | +wilted rose | +
        hibiscus | +hibiscus flower | hibisco
        blossom | yellow flower | flor amarilla
        hyacinth | + | jacinto
        seedling | +young plant | +planta joven
        potted plant | + | +planta en maceta
        evergreen tree | +fir tree | =abeto,árbol de hoja perenne
        deciduous tree | + | =árbol,árbol de hoja caduca
        palm tree | +palm | +
        herb | + | =hierba
        shamrock | +clover | +
        four leaf clover | =four-leaf clover,lucky clover | +
        fallen leaf | =fallen leaves | +
        leaf fluttering in wind | =leaf in the wind,leaf fluttering in the wind | =hoja al viento
        empty nest | +bird nest | +
        mushroom | +toadstool | +seta,hongo
        grapes | +bunch of grapes | +racimo de uvas
        tangerine | +orange | +naranja
        banana | + | +banana
        pineapple | + | +ananás
        red apple | +apple | +manzana
        peach | + | +durazno
        kiwi fruit | kiwi | +
        olive | + | +oliva
        eggplant | +aubergine | +
        potato | + | +papa
        ear of corn | +corn~,corn cob | mazorca de maíz,mazorca
        hot pepper | +chili pepper | +chile
        bell pepper | +green pepper | +pimiento verde
        cucumber | +pickle | +
        leafy green | =lettuce~,cabbage,leafy green vegetable | =lechuga,col,verdura de hoja verde
        broccoli | broccoli~ | +
        garlic | garlic~ | +
        beans | +kidney beans | +judías
        ginger root | ginger~ | raíz de jengibre,jengibre
        pea pod | +peas | vaina de guisantes,guisantes
        bread | bread~,loaf of bread,slice of bread | pan de molde~,pan~,rebanada de pan
        croissant | + | croissant
        baguette bread | =baguette | +barra de pan
        flatbread | =flatbread,pita bread~ | pan sin levadura~,pan de pita~
        pancakes | +stack of pancakes | +
        cheese wedge | wedge of cheese,cheese~ | =trozo de queso,queso,cuña de queso
        meat on bone | =piece of meat on the bone,meat on the bone~ | carne con hueso~
        poultry leg | chicken leg,drumstick | +
        cut of meat | +steak | =filete,corte de carne
        bacon | bacon~ | =beicon~,bacon~
        hamburger | +burger | +
        french fries | =French fries,fries | +papas fritas
        pizza | +slice of pizza | +porción de pizza
        sandwich | + | +bocadillo
        stuffed flatbread | =kebab,stuffed flatbread | =kebab,pan relleno~
        falafel | falafel~ | +
        cooking | =fried egg,frying pan with an egg | =huevo frito,sartén con un huevo
        shallow pan of food | =paella,pan of food | +
        pot of food | +stew | +puchero
        bowl with spoon | =bowl with a spoon | =cuenco con una cuchara
        green salad | +salad | =ensalada,ensalada verde
        popcorn | popcorn~,box of popcorn | +
        butter | butter~,stick of butter | mantequilla~
        salt | salt shaker,salt~ | salero,sal~
        canned food | canned food~,food can | =lata de comida,comida enlatada~
        bento box | +bento | +
        cooked rice | bowl of rice,cooked rice~,rice~ | =tazón de arroz,arroz cocido~,arroz~
        curry rice | =curry rice~,plate of curry | arroz con curry~
        steaming bowl | =bowl of noodles,steaming bowl,bowl of ramen | +tazón de ramen
        spaghetti | spaghetti~,plate of spaghetti,pasta~ | =espaguetis,plato de pasta,pasta~
        roasted sweet potato | +sweet potato | =batata asada,patata asada
        oden | oden skewer,oden~ | +pincho
        sushi | sushi~ | sushi~
        fried shrimp | +prawn tempura | +
        fish cake with swirl | =fish cake with a swirl | +
        moon cake | +mooncake | +
        dango | +dango skewer | +
        dumpling | +empanada | +empanadilla
        lobster | + | +langosta
        shrimp | +prawn | +camarón
        soft ice cream | =ice cream cone,soft ice cream~ | +helado de cucurucho
        shaved ice | =shaved ice~,bowl of shaved ice | =granizado,granizado hawaiano
        ice cream | =bowl of ice cream,ice cream~ | =copa de helado,helado
        doughnut | +donut | dónut,rosquilla
        birthday cake | +cake | +
        shortcake | =slice of cake,shortcake | +pedazo de tarta
        pie | + | +tarta de masa
        chocolate bar | +bar of chocolate | +
        candy | =piece of candy,candy~,sweet | +golosina
        custard | =custard pudding,custard~ | +pudin
        honey pot | +pot of honey,honey jar | +
        hot beverage | =cup of coffee,hot beverage,coffee~ | =taza de café,bebida caliente,café
        teacup without handle | =cup of tea,green tea~,teacup without a handle | =taza de té,tazón de té,té verde~
        sake | =bottle of sake,sake~ | =botella de sake,sake~
        bottle with popping cork | =bottle of champagne,bottle with a popping cork | =botella de champán,botella descorchada
        wine glass | glass of wine,red wine~ | +vino~
        cocktail glass | cocktail,martini glass | cóctel
        tropical drink | +tropical cocktail | +cóctel tropical
        beer mug | +mug of beer,beer~ | +cerveza
        clinking glasses | +champagne glasses | +
        tumbler glass | =glass of whisky,tumbler glass,whisky~ | +whisky~
        pouring liquid | =glass being poured,pouring liquid~ | =vaso derramándose,líquido derramándose
        cup with straw | =cup with a straw,soda | +refresco
        bubble tea | bubble tea~,cup of bubble tea | té de burbujas~
        beverage box | juice box | =zumo en cartón,tetrabrik
        mate | =mate~,cup of mate | mate~
        ice | ice cube,ice~ | +hielo~
        fork and knife with plate | =plate with a fork and knife | =plato con cuchillo y tenedor
        kitchen knife | +knife | +cuchillo
        jar | +glass jar | +frasco
        amphora | +jug | +
        glass of milk | +milk~ | +leche~
        pretzel | + | pretzel
        rice ball | +onigiri | +
        """;
}
